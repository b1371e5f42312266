// A block's sum in one fixed order: a tree within each warp, then the warps one after another. No
// atomics, so the same values give the same bits, whatever the scheduler does.
#pragma once

#include <cuda_runtime.h>

namespace digitron {

inline constexpr int kWarp = 32;

// The sum of `value` over the block, in every thread. All threads of the block must call; their
// number is a multiple of kWarp.
template <class T>
__device__ T block_sum(T value) {
  __shared__ T warp_sums[32];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xffffffffu, value, offset);
  }
  __syncthreads();  // an earlier call's sums have been read
  if (threadIdx.x % kWarp == 0) warp_sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  T sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) sum += warp_sums[warp];
  return sum;
}

}  // namespace digitron
