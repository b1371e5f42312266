// What an instruction set can do at most: nothing but arithmetic, and nothing but memory.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

// As many independent sums as there are registers for, because a multiply-add waits some clocks for
// the one before it in its sum, and a core starts two in each. The loops over them are unrolled, or
// the sums would stand in memory.
inline int64_t multiply_adds(float* sums, int64_t rounds) {
  static_assert(kTileVectors * kWidth <= kSumFloats);
  Vec sum[kTileVectors];
#pragma GCC unroll 24
  for (int i = 0; i < kTileVectors; ++i) sum[i] = load(sums + i * kWidth);
  const Vec factor = broadcast(0.5f), summand = broadcast(1.0f);  // towards 2, whatever it was
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (Vec& each : sum) each = each * factor + summand;
  }
#pragma GCC unroll 24
  for (int i = 0; i < kTileVectors; ++i) store(sums + i * kWidth, sum[i]);
  return rounds * 2 * kTileVectors * kWidth;
}

inline void triad(float* a, const float* b, const float* c, float scale, std::ptrdiff_t count) {
  const Vec factor = broadcast(scale);
  for (std::ptrdiff_t i = 0; i < count; i += kWidth)
    store(a + i, load(b + i) + factor * load(c + i));
}

}  // namespace digitron::DIGITRON_ISA
