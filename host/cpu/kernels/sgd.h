// Plain SGD, by itself and for kernels that update what they have just made the gradient of.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

inline void sgd_vector(const SgdStep& step, std::ptrdiff_t i, Vec g) {
  const Vec w = load_unaligned(step.w + i);
  const Vec v = step.momentum * load_unaligned(step.v + i) + (g + step.weight_decay * w);
  store_unaligned(step.v + i, v);
  store_unaligned(step.w + i, w - step.lr * v);
}

inline void sgd_scalar(const SgdStep& step, std::ptrdiff_t i, float g) {
  step.v[i] = step.momentum * step.v[i] + (g + step.weight_decay * step.w[i]);
  step.w[i] -= step.lr * step.v[i];
}

inline void sgd(const SgdStep& shared, const float* g, std::ptrdiff_t count) {
  const SgdStep step = shared;  // a copy that no store can alias
  std::ptrdiff_t i = 0;
  for (; i + kWidth <= count; i += kWidth) sgd_vector(step, i, load_unaligned(g + i));
  for (; i < count; ++i) sgd_scalar(step, i, g[i]);
}

}  // namespace digitron::DIGITRON_ISA
