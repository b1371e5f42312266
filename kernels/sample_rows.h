// Rows of a convolution's tensors in registers: see sample_conv.h.
#pragma once

#include <cuda_runtime.h>

namespace digitron {

// Rows of a kernel in shared memory: padded, so that a row is one 16-byte load or one and a float.
template <int kKernel>
inline constexpr int kWeightRow = kKernel == 3 ? 4 : 8;

template <int kCount>
__device__ __forceinline__ void load_row(float (&values)[kCount], const float* row) {
  static_assert(kCount % 2 == 0, "rows are read in pairs");
#pragma unroll
  for (int i = 0; i < kCount; i += 2) {
    const float2 pair = *reinterpret_cast<const float2*>(row + i);
    values[i] = pair.x;
    values[i + 1] = pair.y;
  }
}

template <int kKernel>
__device__ __forceinline__ void load_weights(float (&weights)[kKernel], const float* row) {
  const float4 four = *reinterpret_cast<const float4*>(row);
  weights[0] = four.x;
  weights[1] = four.y;
  weights[2] = four.z;
  if constexpr (kKernel == 5) {
    weights[3] = four.w;
    weights[4] = row[4];
  }
}

// acc[q] += sum over j of x[q + j] * w[j], or w[K - 1 - j] where the kernel is to be turned round.
template <bool kTurned, int kKernel, int kTile, int kCount>
__device__ __forceinline__ void add_row(float (&acc)[kTile], const float (&x)[kCount],
                                        const float (&w)[kKernel]) {
#pragma unroll
  for (int j = 0; j < kKernel; ++j) {
#pragma unroll
    for (int q = 0; q < kTile; ++q) acc[q] += x[q + j] * w[kTurned ? kKernel - 1 - j : j];
  }
}

template <int kTile>
__device__ __forceinline__ void store_row(float* row, const float (&acc)[kTile]) {
#pragma unroll
  for (int q = 0; q < kTile; q += 2) {
    *reinterpret_cast<float2*>(row + q) = make_float2(acc[q], acc[q + 1]);
  }
}

}  // namespace digitron
