// Batch normalisation of one sample in shared memory, with what the batch's others left:
//
//   y  = relu(the window's largest (x - mean) * scale + b)       scale = w / deviation
//   db = sum of dy,   dw = sum of dy * x^,                       x^ = (x - mean) / deviation
//   dx = scale * (dy - db / count - x^ * dw / count)
//
// Mean and variance are made of each sample's own, and the sums of the records, in the order of the
// samples: two sums over n values a channel, which each block makes for itself. A warp has a
// channel.
#pragma once

#include "host/shared/batchnorm.h"
#include "kernels/block_group.h"
#include "kernels/sample_delta.h"
#include "kernels/warp_sum.h"

namespace digitron {

__device__ inline float& statistic(const SampleOp& op, float* memory, ChannelStatistic which,
                                   int c) {
  return memory[op.statistics + which * op.channels + c];
}

// Calls f(channel, lane) with whole warps.
template <class F>
__device__ __forceinline__ void for_each_channel(const Range& channels, F f) {
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int c = channels.first + static_cast<int>(threadIdx.x) / kWarp; c < channels.last;
       c += warps) {
    f(c, lane);
  }
}

// The mean of each of x's channels over its plane, and the sum of the squared distances from it ->
// moments (2, channels), in global memory.
__device__ inline void channel_moments(const SampleOp& op, const Image& x, const float* memory,
                                       float* moments, const Range& own) {
  const int plane = op.height * op.width;
  for_each_channel(own, [&](int c, int lane) {
    const float* values = memory + x.offset + c * x.plane;
    float sum = 0;
    for (int i = lane; i < plane; i += kWarp) sum += values[i];
    const float mean = warp_sum(sum) / static_cast<float>(plane);
    float squares = 0;
    for (int i = lane; i < plane; i += kWarp) squares += (values[i] - mean) * (values[i] - mean);
    squares = warp_sum(squares);
    if (lane == 0) {
      moments[c] = mean;
      moments[op.channels + c] = squares;
    }
  });
}

__device__ inline void set_statistics(const SampleOp& op, float* memory, int c, float mean,
                                      float variance, float w) {
  const float reciprocal = 1.0f / sqrtf(variance + static_cast<float>(kBatchNormEpsilon));
  statistic(op, memory, kMean, c) = mean;
  statistic(op, memory, kReciprocal, c) = reciprocal;
  statistic(op, memory, kScale, c) = reciprocal * w;
}

// The statistics of a batch of n, whose samples' moments are `stride` floats apart. running: the
// running ones, to be moved on by this block; else null.
__device__ inline void batch_statistics(const SampleOp& op, float* memory, const float* moments,
                                        int stride, int n, const float* w, float* running) {
  const auto plane = static_cast<float>(op.height * op.width);
  for_each_channel({0, op.channels}, [&](int c, int lane) {
    float sum = 0;
    for (int s = lane; s < n; s += kWarp) sum += moments[size_t(s) * size_t(stride) + size_t(c)];
    const float mean = warp_sum(sum) / static_cast<float>(n);
    float squares = 0;
    for (int s = lane; s < n; s += kWarp) {
      const float* of = moments + size_t(s) * size_t(stride) + c;
      squares += of[op.channels] + plane * (of[0] - mean) * (of[0] - mean);
    }
    squares = warp_sum(squares);
    if (lane != 0) return;
    const float count = plane * static_cast<float>(n);
    set_statistics(op, memory, c, mean, squares / count, w[c]);
    if (!running) return;
    constexpr auto share = static_cast<float>(kBatchNormMomentum);
    float& running_mean = running[op.running_mean + c];
    float& running_variance = running[op.running_variance + c];
    running_mean += share * (mean - running_mean);
    running_variance += share * (squares / (count - 1) - running_variance);
  });
}

// The running statistics, for evaluation.
__device__ inline void running_statistics(const SampleOp& op, float* memory, const float* running,
                                          const float* w) {
  for (int c = static_cast<int>(threadIdx.x); c < op.channels; c += static_cast<int>(blockDim.x)) {
    set_statistics(op, memory, c, running[op.running_mean + c], running[op.running_variance + c],
                   w[c]);
  }
}

// First half of the way back: dy behind ReLU and pooling -> deltas (channels, out_height,
// out_width), in global memory, and the sample's part of dw and db in its record.
__device__ inline void batchnorm_sums(const SampleOp& op, float* memory, float* deltas,
                                      float* record, const SampleDraw& draw, const Range& own) {
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
__device__ inline void batch_deltas(const SampleOp& op, float* memory, const float* records,
                                    int stride, int n) {
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
__device__ inline void batchnorm_input(const SampleOp& op, const Slices& dx, float* memory,
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
