// A warp's sums in one fixed order.
#pragma once

#include "kernels/block_sum.h"

namespace digitron {

// The sum of `value` over the lanes, in all of them. All lanes of the warp must call.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

// The sums of kCount values over the lanes of a warp: lane l gets that of value l / (32 / kCount).
// Each step halves the values, as lanes that meet keep one half and give the other, and then the
// lanes that have the same one.
template <int kCount, int kOffset = kWarp / 2>
__device__ __forceinline__ float warp_sums(float* values, int lane) {
  if constexpr (kOffset == 0) {
    return values[0];
  } else if constexpr (kCount == 1) {
    values[0] += __shfl_xor_sync(0xffffffffu, values[0], kOffset);
    return warp_sums<1, kOffset / 2>(values, lane);
  } else {
    const bool upper = (lane & kOffset) != 0;
#pragma unroll
    for (int i = 0; i < kCount / 2; ++i) {
      const float kept = upper ? values[i + kCount / 2] : values[i];
      const float given = upper ? values[i] : values[i + kCount / 2];
      values[i] = kept + __shfl_xor_sync(0xffffffffu, given, kOffset);
    }
    return warp_sums<kCount / 2, kOffset / 2>(values, lane);
  }
}

}  // namespace digitron
