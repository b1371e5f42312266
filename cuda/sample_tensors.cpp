#include <algorithm>

#include "cuda/sample_builder.h"
#include "cuda/sample_tiling.h"

namespace digitron {

namespace {

int even(int count) {
  return count + count % 2;
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

class Shaper {
 public:
  Shaper(SampleProgram& program, int most_floats) : program_(program), most_floats_(most_floats) {}

  void shape_all() {
    for (int i = 0; i < count(); ++i) divide_work(i);
    program_.image = input_of(0);
    for (int i = 0; i < count(); ++i) shape(i);
  }

 private:
  int count() const { return program_.count; }
  SampleOp& op(int i) { return program_.ops[i]; }

  void divide_work(int i) {
    SampleOp& o = op(i);
    o.by_channels = Divisor(o.channels);
    o.by_plane = Divisor(o.height * o.width);
    o.by_width = Divisor(o.width);
    o.by_out_plane = Divisor(o.out_height * o.out_width);
    o.by_out_width = Divisor(o.out_width);
    o.by_window = Divisor(o.window);
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

  static int covered(const Tiling& tiles) { return tiles.count * tiles.width; }

  // How op i wants its x.
  Image input_of(int i) {
    const SampleOp& o = op(i);
    if (o.kind != OpKind::kConv) return image(o.height, o.width, 0, 0);
    const int tiles = std::max(covered(o.forward), covered(o.weight_tiles)) + o.kernel - 1;
    const int row = even(std::max(o.width + 2 * o.pad, tiles));
    return image(o.height + 2 * o.pad, row, o.pad, o.pad);
  }

  void shape(int i) {
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
    o.by_border = Divisor(std::max(1, o.dz.row - o.out_width * o.window));
  }

  SampleProgram& program_;
  const int most_floats_;
  int input_slices_[kMostOps] = {};  // of the gradient of an op's x
};

}  // namespace

void shape_tensors(SampleProgram& program, int most_floats) {
  Shaper(program, most_floats).shape_all();
}

}  // namespace digitron
