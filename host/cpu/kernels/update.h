// The optimisers that are a pass of their own: all but plain SGD, and any with a moving average.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

inline Vec square_root(Vec x) {
  Vec root;
  for (int i = 0; i < kWidth; ++i) root[i] = __builtin_sqrtf(x[i]);
  return root;
}

// Some parameters on their way through a step.
struct Updated {
  Vec w, m, v, average;
};

template <OptimizerKind kKind>
inline void apply(Updated& p, Vec g, const UpdateRule& rule, const StepRates& rates) {
  if constexpr (kKind == OptimizerKind::kAdamW) {
    p.w -= rates.lr * rule.weight_decay * p.w;
  } else {
    g += rule.weight_decay * p.w;
  }
  if constexpr (has_second_moment(kKind)) {
    p.m = flush(rule.beta1 * p.m + rule.one_minus_beta1 * g);
    p.v = flush(rule.beta2 * p.v + rule.one_minus_beta2 * (g * g));
    p.w -= rates.step_size * p.m / (square_root(p.v) * rates.root_scale + rule.eps);
  } else {
    p.m = flush(rule.momentum * p.m + g);
    p.w -= rates.lr * (kKind == OptimizerKind::kNesterov ? g + rule.momentum * p.m : p.m);
  }
  p.average += rates.average_rate * (p.w - p.average);
}

// kWidth parameters from i on.
template <OptimizerKind kKind>
inline void update_vector(const UpdateStep& step, const float* g, std::ptrdiff_t i) {
  Updated p = {load_unaligned(step.w + i), load_unaligned(step.m + i), Vec{}, Vec{}};
  if constexpr (has_second_moment(kKind)) p.v = load_unaligned(step.v + i);
  if (step.average) p.average = load_unaligned(step.average + i);
  apply<kKind>(p, load_unaligned(g + i), step.rule, step.rates);
  store_unaligned(step.w + i, p.w);
  store_unaligned(step.m + i, p.m);
  if constexpr (has_second_moment(kKind)) store_unaligned(step.v + i, p.v);
  if (step.average) store_unaligned(step.average + i, p.average);
}

// The last parameters, in a whole vector too: each one's bits must not depend on where its thread's
// share ends.
template <OptimizerKind kKind>
inline void update_rest(const UpdateStep& step, const float* g, std::ptrdiff_t i, int count) {
  Updated p = {};
  Vec gradient = {};
  for (int k = 0; k < count; ++k) {
    gradient[k] = g[i + k];
    p.w[k] = step.w[i + k];
    p.m[k] = step.m[i + k];
    if constexpr (has_second_moment(kKind)) p.v[k] = step.v[i + k];
    if (step.average) p.average[k] = step.average[i + k];
  }
  apply<kKind>(p, gradient, step.rule, step.rates);
  for (int k = 0; k < count; ++k) {
    step.w[i + k] = p.w[k];
    step.m[i + k] = p.m[k];
    if constexpr (has_second_moment(kKind)) step.v[i + k] = p.v[k];
    if (step.average) step.average[i + k] = p.average[k];
  }
}

// The step comes by value: a vector store may alias anything the compiler can see an address of.
template <OptimizerKind kKind>
inline void update_kind(UpdateStep step, const float* g, std::ptrdiff_t count) {
  std::ptrdiff_t i = 0;
  for (; i + kWidth <= count; i += kWidth) update_vector<kKind>(step, g, i);
  if (i < count) update_rest<kKind>(step, g, i, static_cast<int>(count - i));
}

inline void update(const UpdateStep& step, const float* g, std::ptrdiff_t count) {
  switch (step.rule.kind) {
    case OptimizerKind::kSgd:
      return update_kind<OptimizerKind::kSgd>(step, g, count);
    case OptimizerKind::kNesterov:
      return update_kind<OptimizerKind::kNesterov>(step, g, count);
    case OptimizerKind::kAdam:
      return update_kind<OptimizerKind::kAdam>(step, g, count);
    case OptimizerKind::kAdamW:
      return update_kind<OptimizerKind::kAdamW>(step, g, count);
  }
}

}  // namespace digitron::DIGITRON_ISA
