// The rest of a convolution's step for one sample: its weights' way into shared memory, and the
// sums of its gradients' way out.
#pragma once

#include "kernels/block_group.h"
#include "kernels/sample_conv.h"
#include "kernels/warp_sum.h"

namespace digitron {

// w (out_channels, channels, K, K), in global memory -> rows of kWeightRow<K> in shared memory.
template <int kKernel>
__device__ __forceinline__ void load_kernels(const SampleOp& op, const float* w, float* memory) {
  const int count = op.out_channels * op.channels * kKernel * kKernel;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    memory[op.weights + i / kKernel * kWeightRow<kKernel> + i % kKernel] = w[i];
  }
}

// db[o] = sum over r, q of dz[o][r][q], for the channels in `own`: a warp takes one, in turn with
// its border of zeros.
__device__ __forceinline__ void conv_bias(const SampleOp& op, const float* memory, float* record,
                                          const Range& own) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  for (int o = own.first + static_cast<int>(threadIdx.x) / kWarp; o < own.last; o += warps) {
    float sum = 0;
    for (int i = lane; i < op.dz.plane; i += kWarp) {
      sum += memory[op.dz.offset + o * op.dz.plane + i];
    }
    sum = warp_sum(sum);
    if (lane == 0) record[op.record_b + o] = sum;
  }
}

// Adds up the slices of dw that conv_weights left, of the channels in `own`.
__device__ __forceinline__ void conv_weights_sum(const SampleOp& op, const float* memory,
                                                 float* record, const Range& own) {
  if (op.dw.slices == 1) return;
  const int weights = op.channels * op.kernel * op.kernel;  // of an output channel
  for (int i = own.first * weights + static_cast<int>(threadIdx.x); i < own.last * weights;
       i += static_cast<int>(blockDim.x)) {
    const float* at = memory + op.dw.offset + i;
    float sum = at[0];
    for (int s = 1; s < op.dw.slices; ++s) sum += at[s * op.dw.slice];
    record[op.record_w + i] = sum;
  }
}

}  // namespace digitron
