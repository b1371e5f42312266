// The optimisers as plain loops, the oracle of every engine's update.
#pragma once

#include <cmath>
#include <cstddef>

#include "host/shared/optimizer.h"

namespace digitron::reference {

// One step for `count` parameters w with gradients g; m and v are the optimiser's buffers, average
// the moving average. v is read by Adam alone, average only when one is kept.
template <class T>
void update(T* w, T* m, T* v, T* average, const T* g, size_t count, const Optimizer& o,
            const StepRates& rates) {
  const bool adam = has_second_moment(o.kind);
  for (size_t i = 0; i < count; ++i) {
    T gradient = g[i];
    if (o.kind == OptimizerKind::kAdamW) {
      w[i] -= T(rates.lr) * T(o.weight_decay) * w[i];
    } else {
      gradient += T(o.weight_decay) * w[i];
    }
    if (adam) {
      m[i] = T(o.beta1) * m[i] + T(1 - o.beta1) * gradient;
      v[i] = T(o.beta2) * v[i] + T(1 - o.beta2) * gradient * gradient;
      w[i] -= T(rates.step_size) * m[i] / (std::sqrt(v[i]) * T(rates.root_scale) + T(o.eps));
    } else {
      m[i] = T(o.momentum) * m[i] + gradient;
      w[i] -= T(rates.lr) *
              (o.kind == OptimizerKind::kNesterov ? gradient + T(o.momentum) * m[i] : m[i]);
    }
    if (o.average_decay > 0) average[i] += T(rates.average_rate) * (w[i] - average[i]);
  }
}

}  // namespace digitron::reference
