// What an update of the parameters is, as PyTorch defines it, and what of it changes from step to
// step. C++17 and data only but for one pure function: kernels read these structs too.
#pragma once

#include <cstdint>

namespace digitron {

// With g the gradient, w the parameters, m and v buffers of their layout, zero at first:
//   kSgd       g += decay * w;  m = momentum * m + g;  w -= lr * m
//   kNesterov  the same, but    w -= lr * (g + momentum * m)
//   kAdam      g += decay * w;  m = beta1 * m + (1 - beta1) * g;
//              v = beta2 * v + (1 - beta2) * g^2;
//              w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps), in step t, from 1 on
//   kAdamW     the same without decay in g; instead, first of all, w -= lr * decay * w
enum class OptimizerKind { kSgd, kNesterov, kAdam, kAdamW };

struct Optimizer {
  float momentum = 0.9f;
  float weight_decay = 0.0f;
  OptimizerKind kind = OptimizerKind::kSgd;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  // The decay of the parameters' moving average, a += (1 - decay) * (w - a) after each step; with 0
  // none is kept.
  double average_decay = 0;
};

constexpr bool has_second_moment(OptimizerKind kind) {
  return kind == OptimizerKind::kAdam || kind == OptimizerKind::kAdamW;
}

// What differs between two steps.
struct StepRates {
  float lr = 0;
  float step_size = 0;     // lr / (1 - beta1^t)
  float root_scale = 1;    // 1 / sqrt(1 - beta2^t)
  float average_rate = 0;  // the part of w - a that the average a takes
};

// The rates of step t (from 1 on) at learning rate lr. The average's decay is (1 + t) / (10 + t) as
// long as that is less, so that it forgets the initial parameters soon, as
// tf.train.ExponentialMovingAverage does.
StepRates step_rates(const Optimizer& optimizer, double lr, int64_t t);

// The constants of an update in single precision.
struct UpdateRule {
  OptimizerKind kind;
  float momentum;
  float weight_decay;
  float beta1, one_minus_beta1;
  float beta2, one_minus_beta2;
  float eps;
};

constexpr UpdateRule update_rule(const Optimizer& o) {
  return {o.kind,
          o.momentum,
          o.weight_decay,
          static_cast<float>(o.beta1),
          static_cast<float>(1 - o.beta1),
          static_cast<float>(o.beta2),
          static_cast<float>(1 - o.beta2),
          static_cast<float>(o.eps)};
}

}  // namespace digitron
