// Softmax cross-entropy in lanes, with an exponential of its own: 160 calls of std::exp a block
// would cost the MLP a tenth of its step.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

// e^x for x <= 0, within 2 ulp above -87 and e^-87 below; NaN stays NaN. x = n ln 2 + r with
// |r| <= ln 2 / 2, and e^r by its Taylor polynomial of degree 7, whose error is under 2^-28 there.
inline Vec exp_of_negative(Vec x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;  // 9 bits: n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  x = x < -87.0f ? Vec{} - 87.0f : x;
  const Vec shifted = x * kLog2E + kRounder;
  const Vec n = shifted - kRounder;
  const Vec r = (x - n * kLn2High) - n * kLn2Low;
  constexpr float kTaylor[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24,
                               1.0f / 6,    0.5f,       1,          1};
  Vec sum = {};
  for (const float c : kTaylor) sum = sum * r + c;
  // The low bits of `shifted` hold n; as an exponent they scale by 2^n.
  return sum * (Vec)(((IntVec)shifted << 23) + (127 << 23));
}

inline void softmax_cross_entropy(float* dlogits, float* losses, uint8_t* correct,
                                  const float* logits, const uint8_t* labels, int classes,
                                  int count, float scale, float smoothing) {
  const float shared = smoothing / static_cast<float>(classes);
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    const float* z = logits + lane;
    Vec top = load(z);
    IntVec best = {};
    for (int c = 1; c < classes; ++c) {
      const Vec value = load(z + c * kLanes);
      const IntVec larger = value > top;
      top = larger ? value : top;
      best = larger ? IntVec{} + c : best;
    }
    Vec shared_logits = {};
    if (smoothing > 0) {
      for (int c = 0; c < classes; ++c) shared_logits += shared * (load(z + c * kLanes) - top);
    }
    Vec sum = {};
    for (int c = 0; c < classes; ++c) sum += exp_of_negative(load(z + c * kLanes) - top);
    for (int i = 0; i < kWidth && lane + i < count; ++i) {
      const int label = labels[lane + i];
      losses[lane + i] = __builtin_logf(sum[i]) + top[i] - z[label * kLanes + i];
      if (smoothing > 0) {
        const float own = (1 - smoothing) * (z[label * kLanes + i] - top[i]);
        losses[lane + i] = __builtin_logf(sum[i]) - own - shared_logits[i];
      }
      correct[lane + i] = best[i] == label;
    }
    if (!dlogits) continue;
    IntVec label = IntVec{} - 1;  // of lanes from `count` on
    for (int i = 0; i < kWidth && lane + i < count; ++i) label[i] = labels[lane + i];
    for (int c = 0; c < classes; ++c) {
      Vec d = exp_of_negative(load(z + c * kLanes) - top) / sum - shared;
      d -= label == c ? broadcast(1.0f - smoothing) : Vec{};
      store(dlogits + c * kLanes + lane, label < 0 ? Vec{} : flush(d * scale));
    }
  }
}

}  // namespace digitron::DIGITRON_ISA
