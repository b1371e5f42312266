// What follows a layer's sums of products, forward and back, for one sample in shared memory:
//
//   y  = relu(the window's largest z + b)     the bias is the same in a window, and ReLU commutes
//   dz = dy, where y > 0, at the place of the window's largest z; elsewhere 0
//
// or the mean of a window, or a dropout's factor. z and dy are slices, added here in their order.
// Each thread takes elements of y. A tensor with a border of zeros is written whole.
#pragma once

#include <type_traits>

#include "kernels/block_group.h"
#include "kernels/sample_dropout.h"
#include "kernels/sample_program.h"

namespace digitron {

__device__ inline float sum_slices(const float* memory, const Slices& tensor, int c, int r, int q) {
  const float* at = memory + tensor.offset + c * tensor.plane + r * tensor.row + q;
  float sum = at[0];
  for (int s = 1; s < tensor.slices; ++s) sum += at[s * tensor.slice];
  return sum;
}

__device__ inline float& element(float* memory, const Image& image, int c, int r, int q) {
  return memory[image.offset + c * image.plane + (r + image.top) * image.row + q + image.left];
}

__device__ inline uint8_t* codes_of(float* memory, const SampleOp& op) {
  return reinterpret_cast<uint8_t*>(memory + op.codes);
}

template <int kNumber>
using Constant = std::integral_constant<int, kNumber>;

// Which z of its window an output takes, and its value.
struct Winner {
  float value;
  int code;  // row * window + column in the window
};

// Calls f with the side of a window as a constant, or with 0 for one that has no code of its own.
template <class F>
__device__ __forceinline__ auto with_window(int window, F f) {
  if (window == 1) return f(Constant<1>());
  if (window == 2) return f(Constant<2>());
  return f(Constant<0>());
}

// The window of output (c, r, q): its first largest value, or its mean. A batch normalisation takes
// its channel's mean off and scales before it compares.
template <int kWindow>
__device__ __forceinline__ Winner pool_window(const SampleOp& op, const float* memory, int c, int r,
                                              int q) {
  const int window = kWindow > 0 ? kWindow : op.window;
  const bool normalises = op.kind == OpKind::kBatchNorm;
  const float* of = memory + op.statistics + c;
  const float shift = normalises ? of[kMean * op.channels] : 0.0f;
  const float scale = normalises ? of[kScale * op.channels] : 1.0f;
  const bool mean = op.kind == OpKind::kAvgPool;
  const float* first =
      memory + op.z.offset + c * op.z.plane + r * op.stride * op.z.row + q * op.stride;
  Winner winner = {};
  int code = 0;
#pragma unroll
  for (int i = 0; i < window; ++i) {
#pragma unroll
    for (int j = 0; j < window; ++j, ++code) {
      const float* at = first + i * op.z.row + j;
      float z = at[0];
      for (int s = 1; s < op.z.slices; ++s) z += at[s * op.z.slice];
      z = (z - shift) * scale;
      if (mean) {
        winner.value += z;
      } else if (code == 0 || z > winner.value) {
        winner = {z, code};
      }
    }
  }
  if (mean) winner.value /= static_cast<float>(window * window);
  return winner;
}

// y, in every part, of this part's channels or, where parts do not share the work, of all.
// b: the bias of a convolution's or a normalisation's channels, else null.
template <class G>
__device__ __forceinline__ void activation_forward(const SampleOp& op, float* memory,
                                                   const float* b, const SampleDraw& draw,
                                                   const G& group) {
  const Range own = op.split ? group.share(op.out_channels) : Range{0, op.out_channels};
  const auto put = [&](auto* to, auto value) {
    if (op.split) {
      group.store(to, value);
    } else {
      *to = value;
    }
  };
  const int items = own.count() * op.y.plane;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int column = item;
    const int c = own.first + op.y.by_plane.divide(column);
    const int row = op.y.by_row.divide(column);
    const int r = row - op.y.top;
    const int q = column - op.y.left;
    float y = 0;
    if (r >= 0 && r < op.out_height && q >= 0 && q < op.out_width) {
      const int at = (c * op.out_height + r) * op.out_width + q;
      const Winner winner = with_window(
          op.window, [&](auto window) { return pool_window<window>(op, memory, c, r, q); });
      y = winner.value + (b ? b[c] : 0.0f);
      if (op.relu && y <= 0.0f) y = 0;  // NaN passes
      if (op.dropout_layer >= 0) y *= dropout_factor(op, draw, at);
      if (op.has_codes()) put(codes_of(memory, op) + at, static_cast<uint8_t>(winner.code));
    }
    put(memory + op.y.offset + c * op.y.plane + row * op.y.row + column, y);
  }
}

}  // namespace digitron
