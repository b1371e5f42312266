#include "cuda/sample_program.h"

#include <algorithm>
#include <vector>

#include "cuda/sample_tiling.h"
#include "cuda/shared_layout.h"
#include "host/core/fusion.h"

namespace digitron {

namespace {

constexpr FusionRules kFusion{.relu = true, .pooling = true, .dropout = true};

constexpr int kMostWindow = 16;            // a winner's place in its window must fit a byte
constexpr int kLeastSplitWeights = 16384;  // fewer are read sooner than two blocks have met
constexpr int kLeastGroupedBatch = 32;     // fewer samples would leave too many SMs idle
constexpr size_t kStaticBytes = 1024;      // of shared memory, for what the kernel keeps by itself

int even(int count) {
  return count + count % 2;
}

int fours(int count) {
  return (count + 3) / 4 * 4;
}

Image image(int channels_rows, int row, int top, int left) {
  Image made;
  made.row = row;
  made.plane = channels_rows * row;
  made.top = top;
  made.left = left;
  made.by_plane = Divisor(made.plane);
  made.by_row = Divisor(row);
  return made;
}

Slices slices(int count, int channels, int rows, int row) {
  Slices made;
  made.slices = count;
  made.row = row;
  made.plane = rows * row;
  made.slice = fours(channels * made.plane);
  made.by_slices = Divisor(count);
  return made;
}

// Why a layer has no place in the fused step; nothing for one that has.
struct Refusal {
  const std::string& name;

  template <class Kind>
  std::string operator()(const Kind&) const {
    return "";
  }
  std::string operator()(const BatchNorm2d&) const { return name + " needs the whole batch"; }
  std::string operator()(const Conv2d& conv) const {
    if (conv.kernel != 3 && conv.kernel != 5)
      return name + "'s kernel " + std::to_string(conv.kernel) + " has no fused form";
    if (conv.stride != 1)
      return name + "'s stride " + std::to_string(conv.stride) + " has no fused form";
    if (conv.padding >= conv.kernel)
      return name + "'s padding " + std::to_string(conv.padding) + " has no fused form";
    return "";
  }
  std::string operator()(const MaxPool2d& pool) const {
    if (pool.kernel <= kMostWindow) return "";
    return name + "'s window of " + std::to_string(pool.kernel) + " has no fused form";
  }
};

// Makes one program, with slices of at most `most_floats` a stage.
class Builder {
 public:
  Builder(const Plan& plan, const std::vector<FusedLayers>& layers, int most_floats)
      : plan_(plan), layers_(layers), most_floats_(most_floats) {
    program_.count = static_cast<int>(layers.size());
    program_.parameters = static_cast<int>(plan.parameter_floats);
  }

  SampleProgram make() {
    for (int i = 0; i < count(); ++i) describe(i);
    for (int i = count(); i-- > 0;) share_work(i);
    for (int i = 0; i < count(); ++i) divide_work(i);
    program_.image = input_of(0);
    for (int i = 0; i < count(); ++i) shape_tensors(i);
    place_tensors();
    place_record();
    return program_;
  }

 private:
  int count() const { return program_.count; }
  SampleOp& op(int i) { return program_.ops[i]; }

  // ---- what each op is

  void describe(int i) {
    const FusedLayers& fused = layers_[static_cast<size_t>(i)];
    const PlannedLayer& layer = *fused.layer;
    SampleOp& o = op(i);
    o.relu = fused.relu;
    o.channels = layer.in.channels;
    o.height = layer.in.height;
    o.width = layer.in.width;
    o.out_channels = fused.out.channels;
    o.out_height = fused.out.height;
    o.out_width = fused.out.width;
    o.backward = layer.has_backward();
    o.input_grad = layer.input_gradient;
    std::visit([&](const auto& kind) { describe(o, fused, kind); }, layer.layer);
    if (layer.parameters) {
      o.weight = static_cast<int>(plan_.weight(layer).offset);
      o.bias = static_cast<int>(plan_.bias(layer).offset);
    }
  }

  void describe(SampleOp& o, const FusedLayers& fused, const Conv2d& conv) {
    o.kind = OpKind::kConv;
    o.kernel = conv.kernel;
    o.pad = conv.padding;
    o.z_height = fused.layer->out.height;
    o.z_width = fused.layer->out.width;
    if (fused.pool) o.window = o.stride = std::get<MaxPool2d>(fused.pool->layer).kernel;
  }
  void describe(SampleOp& o, const FusedLayers& fused, const Linear&) {
    o.kind = OpKind::kLinear;
    if (fused.dropout) drop(o, std::get<Dropout>(fused.dropout->layer), fused.dropout_index);
  }
  void describe(SampleOp& o, const FusedLayers&, const MaxPool2d& pool) {
    o.kind = OpKind::kMaxPool;
    o.window = pool.kernel;
    o.stride = pool.stride;
  }
  void describe(SampleOp& o, const FusedLayers&, const AvgPool2d& pool) {
    o.kind = OpKind::kAvgPool;
    o.window = pool.kernel;
    o.stride = pool.stride;
  }
  void describe(SampleOp& o, const FusedLayers&, const ReLU&) {
    o.kind = OpKind::kElementwise;
    o.relu = true;
  }
  void describe(SampleOp& o, const FusedLayers& fused, const Dropout& dropout) {
    o.kind = OpKind::kElementwise;
    drop(o, dropout, fused.index);
  }
  void describe(SampleOp&, const FusedLayers&, const BatchNorm2d&) {}  // refused before

  static void drop(SampleOp& o, const Dropout& dropout, int layer) {
    o.dropout_layer = layer;
    o.dropout = dropout.probability;
    o.gain = 1.0f / (1.0f - dropout.probability);
  }

  // ---- who does what

  // Whether what op i is given back is there for a part's own channels only.
  bool own_dy(int i) {
    if (i + 1 == count()) return false;
    const SampleOp& next = op(i + 1);
    return next.kind == OpKind::kConv || next.own_dz;
  }

  // From the last op to the first: what a part makes for itself depends on what comes back.
  void share_work(int i) {
    SampleOp& o = op(i);
    if (o.kind == OpKind::kLinear) {
      const int weights = o.out_channels * o.channels * o.height * o.width;
      o.split = weights >= kLeastSplitWeights && o.out_channels > 1;
    } else if (o.kind == OpKind::kConv) {
      o.split = true;
      o.own_dz = own_dy(i) || !o.input_grad;
      o.exchange_dz = own_dy(i) && o.input_grad;
    } else {
      o.own_dz = own_dy(i);
    }
  }

  void divide_work(int i) {
    SampleOp& o = op(i);
    o.by_channels = Divisor(o.channels);
    o.by_plane = Divisor(o.height * o.width);
    o.by_width = Divisor(o.width);
    o.by_out_plane = Divisor(o.out_height * o.out_width);
    o.by_out_width = Divisor(o.out_width);
    if (o.kind == OpKind::kLinear) {
      const int inputs = o.channels * o.height * o.width;
      o.by_quads = Divisor(inputs % 4 == 0 ? inputs / 4 : inputs);
      // Of a split layer each part makes half of the slices.
      input_slices_[i] =
          std::max(o.split ? 2 : 1, choose_linear_slices(inputs, o.out_channels, most_floats_));
    }
    if (o.kind != OpKind::kConv) return;
    o.by_z_height = Divisor(o.z_height);
    const TiledStage forward{o.kernel,   o.out_channels, o.z_height,
                             o.z_height, o.z_width,      o.channels};
    const TiledChoice z = choose_tiling(forward, most_floats_);
    o.forward = z.tiling;
    o.z = slices(z.slices, o.out_channels, o.z_height, z.tiling.count * z.tiling.width);
    const TiledStage input{o.kernel, o.channels, o.z_height, o.height, o.width, o.out_channels};
    const TiledChoice dx = choose_tiling(input, most_floats_);
    o.input = dx.tiling;
    input_slices_[i] = dx.slices;
    const TiledChoice dw = choose_weight_tiling(o.kernel, o.out_channels, o.channels, o.z_height,
                                                o.z_width, most_floats_);
    o.weight_tiles = dw.tiling;
    o.dw.slices = dw.slices;
    o.dw.slice = fours(o.out_channels * o.channels * o.kernel * o.kernel);
    o.dw.by_slices = Divisor(dw.slices);
  }

  // ---- the tensors

  static int covered(const Tiling& tiles) { return tiles.count * tiles.width; }

  // How op i wants its x.
  Image input_of(int i) {
    const SampleOp& o = op(i);
    if (o.kind != OpKind::kConv) return image(o.height, o.width, 0, 0);
    const int tiles = std::max(covered(o.forward), covered(o.weight_tiles)) + o.kernel - 1;
    const int row = even(std::max(o.width + 2 * o.pad, tiles));
    return image(o.height + 2 * o.pad, row, o.pad, o.pad);
  }

  void shape_tensors(int i) {
    SampleOp& o = op(i);
    const bool last = i + 1 == count();
    o.y = last ? image(o.out_height, o.out_width, 0, 0) : input_of(i + 1);
    o.dy = slices(1, o.out_channels, o.out_height, o.out_width);
    if (!last && op(i + 1).kind == OpKind::kLinear) {
      o.dy = slices(input_slices_[i + 1], o.out_channels, o.out_height, o.out_width);
    } else if (!last && op(i + 1).kind == OpKind::kConv) {
      o.dy = slices(input_slices_[i + 1], o.out_channels, o.out_height, covered(op(i + 1).input));
    }
    o.dz = image(o.out_height, o.out_width, 0, 0);  // of a linear layer
    if (o.kind != OpKind::kConv) return;
    int width = std::max(o.z_width, covered(o.weight_tiles));
    int left = 0;
    if (o.input_grad) {  // it reads K - 1 - pad columns before the first, and as many after the
                         // last
      const int border = o.kernel - 1 - o.pad;
      left = even(border);
      width = std::max(width, covered(o.input) + o.kernel - 1 - border);
    }
    o.dz = image(o.z_height, even(left + width), 0, left);
  }

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

  void place_tensors() {
    for (int i = 0; i < count(); ++i) {
      if (op(i).split) meet(forward_stage(i) + 1);
      if (op(i).exchange_dz) meet(backward_stage(i));
      if (op(i).split && op(i).kind == OpKind::kLinear) meet(backward_stage(i) + 1);
    }
    add(program_.image, layers_[0].layer->in.channels, kStart, backward_stage(0) + 1);
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

  // ---- what a sample leaves for the weight pass

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
      }
    }
    program_.record_floats = floats;
  }

  const Plan& plan_;
  const std::vector<FusedLayers>& layers_;
  const int most_floats_;
  SampleProgram program_;
  int input_slices_[kMostOps] = {};  // of the gradient of an op's x
  std::vector<int> meetings_;
  SharedLayout layout_;
};

std::string refusal(const Plan& plan, size_t ops) {
  for (const PlannedLayer& layer : plan.layers) {
    const std::string reason = std::visit(Refusal{layer.name}, layer.layer);
    if (!reason.empty()) return reason;
  }
  if (ops <= kMostOps) return "";
  return "it has " + std::to_string(ops) + " layers, and the fused step takes " +
         std::to_string(kMostOps);
}

// Linear layers' weights go to shared memory where a part's rows fit beside the samples.
void place_linear_weights(SampleProgram& program, const SampleLimits& limits) {
  const int room = static_cast<int>((limits.shared_bytes - kStaticBytes) / sizeof(float));
  for (int i = 0; i < program.count; ++i) {
    SampleOp& o = program.ops[i];
    const int inputs = o.channels * o.height * o.width;
    if (o.kind != OpKind::kLinear || inputs % 4 != 0) continue;
    const int rows = o.split ? (o.out_channels + limits.parts - 1) / limits.parts : o.out_channels;
    if (program.shared_floats + rows * inputs > room) continue;
    o.weights = program.shared_floats;
    program.shared_floats += rows * inputs;
  }
}

}  // namespace

std::variant<SampleProgram, std::string> make_sample_program(const Plan& plan,
                                                             const SampleLimits& limits) {
  const std::vector<FusedLayers> layers = fuse(plan, kFusion);
  const std::string reason = refusal(plan, layers.size());
  if (!reason.empty()) return reason;
  size_t bytes = 0;
  for (const int most_floats : {9600, 4800, 2400, 0}) {  // the first that fits is the fastest
    SampleProgram program = Builder(plan, layers, most_floats).make();
    bytes = sizeof(float) * static_cast<size_t>(program.sample_floats) + kStaticBytes;
    if (bytes > limits.shared_bytes) continue;
    const bool grouped = plan.batch >= kLeastGroupedBatch &&
                         kMostSamples * bytes <= limits.shared_bytes &&
                         std::none_of(program.ops, program.ops + program.count,
                                      [](const SampleOp& op) { return op.kind == OpKind::kConv; });
    program.samples = grouped ? kMostSamples : 1;
    program.shared_floats = program.samples * program.sample_floats;
    place_linear_weights(program, limits);
    return program;
  }
  return "a sample takes " + std::to_string((bytes + 1023) / 1024) +
         " KB of shared memory, this GPU has " + std::to_string(limits.shared_bytes / 1024);
}

}  // namespace digitron
