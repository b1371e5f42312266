// What follows a layer's sums of products, forward and back, for one sample in shared memory:
//
//   y  = relu(the window's largest z + b)     the bias is the same in a window, and ReLU commutes
//   dz = dy, where y > 0, at the place of the window's largest z; elsewhere 0
//
// or the mean of a window, or a dropout's factor. z and dy are slices, added here in their order.
// Each thread takes elements of y. A tensor with a border of zeros is written whole.
#pragma once

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

// Which z of its window an output takes, and its value.
struct Winner {
  float value;
  int code;  // row * window + column in the window
};

__device__ inline Winner pool_window(const SampleOp& op, const float* memory, int c, int r, int q) {
  Winner winner = {sum_slices(memory, op.z, c, r * op.stride, q * op.stride), 0};
  const bool mean = op.kind == OpKind::kAvgPool;
  for (int i = 1; i < op.window * op.window; ++i) {
    const float z =
        sum_slices(memory, op.z, c, r * op.stride + i / op.window, q * op.stride + i % op.window);
    if (mean) {
      winner.value += z;
    } else if (z > winner.value) {
      winner = {z, i};
    }
  }
  if (mean) winner.value /= static_cast<float>(op.window * op.window);
  return winner;
}

// y, in every part, of this part's channels or, where parts do not share the work, of all.
// b: the bias of a convolution's channels, else null.
template <class G>
__device__ void activation_forward(const SampleOp& op, float* memory, const float* b,
                                   const SampleDraw& draw, const G& group) {
  const Range own = op.split ? group.share(op.out_channels) : Range{0, op.out_channels};
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
      const Winner winner = pool_window(op, memory, c, r, q);
      y = winner.value + (b ? b[c] : 0.0f);
      if (op.relu && y <= 0.0f) y = 0;  // NaN passes
      if (op.dropout_layer >= 0) y *= dropout_factor(op, draw, at);
      if (op.has_codes()) group.store(codes_of(memory, op) + at, static_cast<uint8_t>(winner.code));
    }
    float* const to = memory + op.y.offset + c * op.y.plane + row * op.y.row + column;
    if (op.split) {
      group.store(to, y);
    } else {
      *to = y;
    }
  }
}

// dy of element (c, r, q), taken back through dropout and ReLU.
__device__ inline float delta(const SampleOp& op, float* memory, const SampleDraw& draw, int c,
                              int r, int q) {
  const float dy = sum_slices(memory, op.dy, c, r, q);
  if (op.relu) return element(memory, op.y, c, r, q) > 0.0f ? dy * op.gain : 0.0f;
  if (op.dropout_layer < 0) return dy;
  return dy * dropout_factor(op, draw, (c * op.out_height + r) * op.out_width + q);
}

// dz of a convolution, with its border, of this part's channels (and then perhaps in every part) or
// of all.
template <class G>
__device__ void conv_delta(const SampleOp& op, float* memory, const SampleDraw& draw,
                           const G& group) {
  const Range own = op.own_dz ? group.share(op.out_channels) : Range{0, op.out_channels};
  const auto put = [&](float* to, float value) {
    if (op.exchange_dz) {
      group.store(to, value);
    } else {
      *to = value;
    }
  };
  const int windows = own.count() * op.out_height * op.out_width;
  for (int item = static_cast<int>(threadIdx.x); item < windows;
       item += static_cast<int>(blockDim.x)) {
    int q = item;
    const int c = own.first + op.by_out_plane.divide(q);
    const int r = op.by_out_width.divide(q);
    const float d = delta(op, memory, draw, c, r, q);
    const int code =
        op.has_codes() ? codes_of(memory, op)[(c * op.out_height + r) * op.out_width + q] : 0;
    float* const first = &element(memory, op.dz, c, r * op.window, q * op.window);
    for (int i = 0, k = 0; i < op.window; ++i) {
      for (int j = 0; j < op.window; ++j, ++k) put(first + i * op.dz.row + j, k == code ? d : 0.0f);
    }
  }
  const int covered_rows = op.out_height * op.window, covered_columns = op.out_width * op.window;
  if (op.dz.plane == covered_rows * covered_columns) return;
  for (int item = static_cast<int>(threadIdx.x); item < own.count() * op.dz.plane;
       item += static_cast<int>(blockDim.x)) {
    int column = item;
    const int c = own.first + op.dz.by_plane.divide(column);
    const int row = op.dz.by_row.divide(column);
    const bool covered =
        row < covered_rows && column >= op.dz.left && column < op.dz.left + covered_columns;
    if (!covered) put(memory + op.dz.offset + c * op.dz.plane + row * op.dz.row + column, 0.0f);
  }
}

// dx of a ReLU, a dropout or a pooling by itself, of this part's channels or of all: each element
// of x gathers from the windows that it lies in, in row-major order.
template <class G>
__device__ void activation_backward(const SampleOp& op, const Slices& dx, float* memory,
                                    const SampleDraw& draw, const G& group) {
  const Range own = op.own_dz ? group.share(op.channels) : Range{0, op.channels};
  const int items = own.count() * op.height * op.width;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int q = item;
    const int c = own.first + op.by_plane.divide(q);
    const int r = op.by_width.divide(q);
    float sum = 0;
    for (int i = max(0, (r - op.window + op.stride) / op.stride);
         i < op.out_height && i * op.stride <= r; ++i) {
      for (int j = max(0, (q - op.window + op.stride) / op.stride);
           j < op.out_width && j * op.stride <= q; ++j) {
        const int code = (r - i * op.stride) * op.window + q - j * op.stride;
        const int at = (c * op.out_height + i) * op.out_width + j;
        if (op.has_codes() && codes_of(memory, op)[at] != code) continue;
        sum += delta(op, memory, draw, c, i, j);
      }
    }
    if (op.kind == OpKind::kAvgPool) sum /= static_cast<float>(op.window * op.window);
    memory[dx.offset + c * dx.plane + r * dx.row + q] = sum;
  }
}

}  // namespace digitron
