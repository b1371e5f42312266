// One parameter's step of an optimiser: the formulas are at the head of optimizer.cu.
#pragma once

#include "host/shared/optimizer.h"

namespace digitron {

struct Element {
  float w, m, v, average;
};

template <OptimizerKind kKind>
__device__ __forceinline__ void update(Element& p, float g, const UpdateRule& rule,
                                       const StepRates& rates) {
  if constexpr (kKind == OptimizerKind::kAdamW) {
    p.w -= rates.lr * rule.weight_decay * p.w;
  } else {
    g += rule.weight_decay * p.w;
  }
  if constexpr (has_second_moment(kKind)) {
    p.m = rule.beta1 * p.m + rule.one_minus_beta1 * g;
    p.v = rule.beta2 * p.v + rule.one_minus_beta2 * (g * g);
    p.w -= rates.step_size * p.m / (sqrtf(p.v) * rates.root_scale + rule.eps);
  } else {
    p.m = rule.momentum * p.m + g;
    p.w -= rates.lr * (kKind == OptimizerKind::kNesterov ? g + rule.momentum * p.m : p.m);
  }
  p.average += rates.average_rate * (p.w - p.average);
}

}  // namespace digitron
