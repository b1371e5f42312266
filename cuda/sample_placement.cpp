#include <algorithm>

#include "cuda/sample_builder.h"
#include "cuda/shared_layout.h"

namespace digitron {

namespace {

class Placer {
 public:
  explicit Placer(SampleProgram& program) : program_(program) {}

  void place_all() {
    place_shared();
    place_record();
  }

 private:
  int count() const { return program_.count; }
  SampleOp& op(int i) { return program_.ops[i]; }

  // Stages count from 0: two for each op forward, one for the loss, two for each op back.
  int forward_stage(int i) const { return 2 * i; }
  int loss_stage() const { return 2 * count(); }
  int backward_stage(int i) const { return loss_stage() + 1 + 2 * (count() - 1 - i); }
  static constexpr int kStart = -1;

  // Remembers that the parts meet at the end of `stage`.
  void meet(int stage) { meetings_.push_back(stage); }
  // What the other part stores at `stage` must have its place free since the parts met last.
  int free_since(int stage) const {
    int since = kStart;
    for (const int meeting : meetings_) {
      if (meeting < stage) since = std::max(since, meeting + 1);
    }
    return since;
  }

  void add(Slices& tensor, int channels, int first, int last) {
    layout_.add(&tensor.offset, (tensor.slices - 1) * tensor.slice + channels * tensor.plane, first,
                last);
  }
  void add(Image& tensor, int channels, int first, int last) {
    layout_.add(&tensor.offset, channels * tensor.plane, first, last);
  }

  void place_shared() {
    for (int i = 0; i < count(); ++i) {
      if (op(i).split) meet(forward_stage(i) + 1);
      if (op(i).exchange_dz) meet(backward_stage(i));
      if (op(i).split && op(i).kind == OpKind::kLinear) meet(backward_stage(i) + 1);
    }
    add(program_.image, op(0).channels, kStart, backward_stage(0) + 1);
    for (int i = 0; i < count(); ++i) place_op(i);
    program_.sample_floats = layout_.place();
    for (int i = 0; i < count(); ++i) {  // a pooling's or a ReLU's z is its x
      SampleOp& o = op(i);
      if (o.kind == OpKind::kConv || o.kind == OpKind::kLinear) continue;
      const Image& x = i == 0 ? program_.image : op(i - 1).y;
      o.z.offset = x.offset;
      o.z.row = x.row;
      o.z.plane = x.plane;
    }
  }

  void place_op(int i) {
    SampleOp& o = op(i);
    const int forward = forward_stage(i);
    const int backward = backward_stage(i);
    const int made = forward + 1;
    add(o.y, o.out_channels, o.split ? free_since(made) : made, backward);
    if (o.has_codes()) {
      layout_.add(&o.codes, fours(o.out_channels * o.out_height * o.out_width) / 4,
                  o.split ? free_since(made) : made, backward);
    }
    add(o.dy, o.out_channels, dy_since(i), backward);
    if (o.kind == OpKind::kBatchNorm) {
      // Evaluation takes all of them at once, when it begins.
      layout_.add(&o.statistics, kChannelStatistics * o.channels, kStart, backward);
    }
    if (o.kind == OpKind::kLinear) add(o.dz, o.out_channels, backward, backward + 1);
    if (o.kind != OpKind::kConv) return;
    add(o.z, o.out_channels, forward, forward + 1);
    add(o.dz, o.out_channels, o.exchange_dz ? free_since(backward) : backward, backward + 1);
    if (o.dw.slices > 1) {
      layout_.add(&o.dw.offset, o.dw.slices * o.dw.slice, backward + 1, backward + 2);
    }
    const int row = o.kernel == 3 ? 4 : 8;  // kWeightRow
    layout_.add(&o.weights, o.out_channels * o.channels * o.kernel * row, kStart, backward + 1);
  }

  // When the first slice of what comes back to op i is stored.
  int dy_since(int i) {
    if (i + 1 == count()) return loss_stage();
    const SampleOp& next = op(i + 1);
    const int stage =
        backward_stage(i + 1) + (next.kind == OpKind::kConv || next.kind == OpKind::kLinear);
    return next.split && next.kind == OpKind::kLinear ? free_since(stage) : stage;
  }

  void place_record() {
    int floats = 0;
    const auto take = [&floats](int& offset, int count) {
      offset = floats;
      floats += fours(count);
    };
    for (int i = 0; i < count(); ++i) {
      SampleOp& o = op(i);
      if (o.kind == OpKind::kLinear) {
        take(o.record_x, o.channels * o.height * o.width);
        take(o.record_d, o.out_channels);
      } else if (o.kind == OpKind::kConv) {
        take(o.record_w, o.out_channels * o.channels * o.kernel * o.kernel);
        take(o.record_b, o.out_channels);
      } else if (o.kind == OpKind::kBatchNorm) {
        take(o.record_w, o.channels);
        take(o.record_b, o.channels);
      }
    }
    program_.record_floats = floats;
    floats = 0;
    for (int i = 0; i < count(); ++i) {
      SampleOp& o = op(i);
      if (o.kind != OpKind::kBatchNorm) continue;
      take(o.cross_x, o.channels * o.height * o.width);
      take(o.cross_d, o.out_channels * o.out_height * o.out_width);
      take(o.cross_moments, 2 * o.channels);
    }
    program_.cross_floats = floats;
  }

  SampleProgram& program_;
  std::vector<int> meetings_;
  SharedLayout layout_;
};

}  // namespace

void place_tensors(SampleProgram& program) {
  Placer(program).place_all();
}

}  // namespace digitron
