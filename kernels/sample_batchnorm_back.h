// The way back through a batch normalisation of one sample (the formulas: sample_batchnorm.h), in
// two halves: between them the sums of all samples' records are made.
#pragma once

#include "kernels/sample_batchnorm.h"
#include "kernels/sample_delta.h"

namespace digitron {

// First half of the way back: dy behind ReLU and pooling -> deltas (channels, out_height,
// out_width), in global memory, and the sample's part of dw and db in its record.
__device__ __forceinline__ void batchnorm_sums(const SampleOp& op, float* memory, float* deltas,
                                               float* record, const SampleDraw& draw,
                                               const Range& own) {
  const int plane = op.out_height * op.out_width;
  for_each_channel(own, [&](int c, int lane) {
    float sum = 0, products = 0;
    for (int i = lane; i < plane; i += kWarp) {
      int q = i;
      const int r = op.by_out_width.divide(q);
      const float d = delta(op, memory, draw, c, r, q);
      const int code = op.has_codes() ? codes_of(memory, op)[c * plane + i] : 0;
      const float x =
          memory[op.z.offset + c * op.z.plane + (r * op.stride + code / op.window) * op.z.row +
                 q * op.stride + code % op.window];
      sum += d;
      products += d * (x - statistic(op, memory, kMean, c)) * statistic(op, memory, kReciprocal, c);
      deltas[c * plane + i] = d;
    }
    sum = warp_sum(sum);
    products = warp_sum(products);
    if (lane == 0) {
      record[op.record_b + c] = sum;
      record[op.record_w + c] = products;
    }
  });
}

// The means of dy and of dy * x^ over the batch, from the records of its n samples.
__device__ __forceinline__ void batch_deltas(const SampleOp& op, float* memory,
                                             const float* records, int stride, int n) {
  const float count = static_cast<float>(op.height * op.width) * static_cast<float>(n);
  for_each_channel({0, op.channels}, [&](int c, int lane) {
    float sum = 0, products = 0;
    for (int s = lane; s < n; s += kWarp) {
      const float* of = records + size_t(s) * size_t(stride) + c;
      sum += of[op.record_b];
      products += of[op.record_w];
    }
    sum = warp_sum(sum);
    products = warp_sum(products);
    if (lane != 0) return;
    statistic(op, memory, kMeanDelta, c) = sum / count;
    statistic(op, memory, kMeanProduct, c) = products / count;
  });
}

// Second half: dx, all of it, in shared memory, of the deltas of the first.
__device__ __forceinline__ void batchnorm_input(const SampleOp& op, const Slices& dx, float* memory,
                                                const float* deltas) {
  const int items = op.channels * op.height * op.width;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int q = item;
    const int c = op.by_plane.divide(q);
    const int r = op.by_width.divide(q);
    int i = r, j = q;  // place in the window
    const int row = op.by_window.divide(i);
    const int column = op.by_window.divide(j);
    float d = 0;
    if (row < op.out_height && column < op.out_width) {
      const int at = (c * op.out_height + row) * op.out_width + column;
      if (!op.has_codes() || codes_of(memory, op)[at] == i * op.window + j) d = deltas[at];
    }
    const float x = memory[op.z.offset + c * op.z.plane + r * op.z.row + q];
    const float normalised =
        (x - statistic(op, memory, kMean, c)) * statistic(op, memory, kReciprocal, c);
    memory[dx.offset + c * dx.plane + r * dx.row + q] =
        statistic(op, memory, kScale, c) * (d - statistic(op, memory, kMeanDelta, c) -
                                            normalised * statistic(op, memory, kMeanProduct, c));
  }
}

}  // namespace digitron
