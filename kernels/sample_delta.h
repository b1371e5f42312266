// The way back through what follows a layer's sums of products: see sample_activation.h.
#pragma once

#include "kernels/sample_activation.h"

namespace digitron {

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
__device__ __forceinline__ void conv_delta(const SampleOp& op, float* memory,
                                           const SampleDraw& draw, const G& group) {
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
    with_window(op.window, [&](auto constant) {
      const int window = constant > 0 ? constant : op.window;
      int k = 0;
#pragma unroll
      for (int i = 0; i < window; ++i) {
#pragma unroll
        for (int j = 0; j < window; ++j, ++k) {
          put(first + i * op.dz.row + j, k == code ? d : 0.0f);
        }
      }
    });
  }
  // The columns and rows that no window covers.
  const int covered_columns = op.out_width * op.window;
  const int border = op.dz.row - covered_columns;
  for (int item = static_cast<int>(threadIdx.x); item < own.count() * op.z_height * border;
       item += static_cast<int>(blockDim.x)) {
    int column = item;
    const int row = op.by_border.divide(column);  // of all channels'
    if (column >= op.dz.left) column += covered_columns;
    put(memory + op.dz.offset + own.first * op.dz.plane + row * op.dz.row + column, 0.0f);
  }
  for (int row = op.out_height * op.window; row < op.z_height; ++row) {
    for (int item = static_cast<int>(threadIdx.x); item < own.count() * covered_columns;
         item += static_cast<int>(blockDim.x)) {
      put(&element(memory, op.dz, own.first + item / covered_columns, row, item % covered_columns),
          0.0f);
    }
  }
}

// dx of a ReLU, a dropout or a pooling by itself, of this part's channels or of all: each element
// of x gathers from the windows that it lies in, in row-major order.
template <class G>
__device__ __forceinline__ void activation_backward(const SampleOp& op, const Slices& dx,
                                                    float* memory, const SampleDraw& draw,
                                                    const G& group) {
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
