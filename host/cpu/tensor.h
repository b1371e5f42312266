// Tensors of a block, as the CPU engine's kernels take them. A block is kLanes samples. A tensor of
// a block is stored (channels, rows, columns, kLanes): one SIMD lane per sample, so every
// multiply-add is a full vector whatever the channel count, weights are broadcast scalars, and
// pooling is a compare and select. Tensors that a padded convolution reads have a border of zeros;
// a Tensor's pointer is at its first element inside the border. Strides are in floats.
#pragma once

#include <cstddef>
#include <cstdint>

namespace digitron {

inline constexpr int kLanes = 16;

// A view of one block's tensor: (channels, height, width, kLanes).
struct Tensor {
  float* data = nullptr;
  int channels = 0;
  int height = 0;
  int width = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t channel_stride = 0;

  float* row(int channel, int y) const { return data + channel * channel_stride + y * row_stride; }
};

// F(outputs, taps), which makes a tile of so many outputs side by side at once, of as many products
// as it has points. There are kernels for 3 and 5 taps and 4 and 5 outputs.
struct WinogradForm {
  int taps = 0;
  int outputs = 0;

  constexpr int points() const { return taps + outputs - 1; }
  constexpr int tiles(int columns) const { return (columns + outputs - 1) / outputs; }
};

// A tensor's rows as Winograd's filtering multiplies them: at each of its points a tensor
// (channels, height, tiles, kLanes), the first one's view, point_stride floats before the next
// one's.
struct PointTensor : Tensor {
  std::ptrdiff_t point_stride = 0;
};

// What the kernels that go by two rows of outputs work in: transformed rows of the input and of the
// gradients of some outputs, and the weights' gradients by lane.
inline constexpr int kMostRowsOutputs = 8;
constexpr size_t winograd_rows_floats(WinogradForm form, int inputs, int outputs, int columns) {
  const int rows = (form.taps + 1) * inputs + 2 * kMostRowsOutputs;
  const size_t gradients = size_t(outputs) * inputs * form.taps;
  return (size_t(form.tiles(columns)) * rows + gradients) * form.points() * kLanes;
}

// Cache lines that will be wanted soon. Kernels that are nothing but arithmetic ask for some of
// them now and then, first ones first, so that they are in L2 by the time.
struct Ahead {
  const float* data = nullptr;
  std::ptrdiff_t lines = 0;
};
inline constexpr int kLineFloats = 64 / sizeof(float);

// A kernel over an input whose border is part of it: padding is in the Tensor, not here.
// Rows 0: none.
struct Window {
  int rows;
  int columns;
  int stride;
};

// Which element of its window each output of a max-pooling took: (channels, height, width, kLanes),
// rows dense, the index in row-major order.
struct Winners {
  uint16_t* data = nullptr;
  std::ptrdiff_t channel_stride = 0;

  uint16_t* at(int channel, std::ptrdiff_t offset) const {
    return data + channel * channel_stride + offset;
  }
};

}  // namespace digitron
