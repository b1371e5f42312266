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
#include "kernels/sample_program.h"
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
__device__ __forceinline__ void channel_moments(const SampleOp& op, const Image& x,
                                                const float* memory, float* moments,
                                                const Range& own) {
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

__device__ __forceinline__ void set_statistics(const SampleOp& op, float* memory, int c, float mean,
                                               float variance, float w) {
  const float reciprocal = 1.0f / sqrtf(variance + static_cast<float>(kBatchNormEpsilon));
  statistic(op, memory, kMean, c) = mean;
  statistic(op, memory, kReciprocal, c) = reciprocal;
  statistic(op, memory, kScale, c) = reciprocal * w;
}

// The statistics of a batch of n, whose samples' moments are `stride` floats apart. running: the
// running ones, to be moved on by this block; else null.
__device__ __forceinline__ void batch_statistics(const SampleOp& op, float* memory,
                                                 const float* moments, int stride, int n,
                                                 const float* w, float* running) {
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
__device__ __forceinline__ void running_statistics(const SampleOp& op, float* memory,
                                                   const float* running, const float* w) {
  for (int c = static_cast<int>(threadIdx.x); c < op.channels; c += static_cast<int>(blockDim.x)) {
    set_statistics(op, memory, c, running[op.running_mean + c], running[op.running_variance + c],
                   w[c]);
  }
}

}  // namespace digitron
