// What goes across lanes: sums over them, and transposition.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

// ---- sums

// Of a and b, whose sums so far are in runs of kRun elements: the first half of each run plus its
// second half.
template <int kRun>
inline Vec halve(Vec a, Vec b) {
  constexpr auto first = [](int i) { return i / (kRun / 2) * kRun + i % (kRun / 2); };
  constexpr auto second = [](int i) { return i / (kRun / 2) * kRun + i % (kRun / 2) + kRun / 2; };
  return shuffle<kWidth, first>(a, b) + shuffle<kWidth, second>(a, b);
}

// Sums in runs of kRun, of kWidth / kRun rows of lanes.
template <int kRun>
inline Vec sum_rows(const float* lanes) {
  if constexpr (kRun == kWidth) {
    Vec row[kLanes / kWidth];
    for (int i = 0; i < kLanes / kWidth; ++i) row[i] = load(lanes + i * kWidth);
    for (int half = kLanes / kWidth / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) row[i] += row[i + half];
    return row[0];
  } else {
    constexpr int kRows = kWidth / kRun / 2;
    return halve<2 * kRun>(sum_rows<2 * kRun>(lanes), sum_rows<2 * kRun>(lanes + kRows * kLanes));
  }
}

// Lane i with lane i + 8, these with i + 4, and so on, the same way for every width: kWidth rows of
// lanes at once, and the last ones one by one.
inline void sum_lanes(float* sums, const float* lanes, int count) {
  int n = 0;
  for (; n + kWidth <= count; n += kWidth) {
    store_unaligned(sums + n, sum_rows<1>(lanes + std::ptrdiff_t{n} * kLanes));
  }
  for (lanes += std::ptrdiff_t{n} * kLanes; n < count; ++n, lanes += kLanes) {
    float part[kLanes / 2];
    for (int i = 0; i < 8; ++i) part[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; ++i) part[i] += part[i + 4];
    sums[n] = (part[0] + part[2]) + (part[1] + part[3]);
  }
}

// ---- transposition

// kWidth x kWidth floats: the byte transposition's scheme, log2(kWidth) rounds.
inline void transpose_tile(Vec (&rows)[kWidth]) {
#pragma GCC unroll 4
  for (int step = 1; step < kWidth; step *= 2) {
    Vec next[kWidth];
    for (int i = 0; i < kWidth / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + kWidth / 2]);
      next[2 * i + 1] = interleave<kWidth / 2>(rows[i], rows[i + kWidth / 2]);
    }
    for (int i = 0; i < kWidth; ++i) rows[i] = next[i];
  }
}

inline void transpose(float* x_rows, int row_floats, const float* x, int count) {
  for (int i = 0; i < count; i += kWidth)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      Vec rows[kWidth] = {};
      for (int r = 0; r < kWidth && i + r < count; ++r) rows[r] = load(x + (i + r) * kLanes + lane);
      transpose_tile(rows);
      for (int n = 0; n < kWidth; ++n) store(x_rows + (lane + n) * row_floats + i, rows[n]);
    }
}

}  // namespace digitron::DIGITRON_ISA
