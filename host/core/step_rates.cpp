#include "host/shared/optimizer.h"

#include <algorithm>
#include <cmath>

namespace digitron {

StepRates step_rates(const Optimizer& optimizer, double lr, int64_t t) {
  StepRates rates;
  const auto step = static_cast<double>(t);
  rates.lr = static_cast<float>(lr);
  if (has_second_moment(optimizer.kind)) {
    rates.step_size = static_cast<float>(lr / (1 - std::pow(optimizer.beta1, step)));
    rates.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(optimizer.beta2, step)));
  }
  if (optimizer.average_decay > 0) {
    const double decay = std::min(optimizer.average_decay, (1 + step) / (10 + step));
    rates.average_rate = static_cast<float>(1 - decay);
  }
  return rates;
}

}  // namespace digitron
