#include "host/train/schedule.h"

#include <cmath>
#include <numbers>

namespace digitron {

namespace {

constexpr double kOneCycleRise = 25;
constexpr double kOneCycleFall = 1e4;  // from the first rate to the last, as PyTorch counts it
constexpr double kOneCycleWarmUp = 0.3;

// From `first` to `last` as x goes from 0 to 1, along half a cosine.
double anneal(double first, double last, double x) {
  return last + (first - last) / 2 * (1 + std::cos(std::numbers::pi * x));
}

// As in PyTorch, the step numbered `peak` has the highest rate and the last step the lowest; a
// warm-up of a fraction of a step makes `peak` one too.
double one_cycle(const TrainSettings& s, double step, double steps) {
  const double warm_up = s.warmup ? *s.warmup / s.epochs : kOneCycleWarmUp;
  const double peak = warm_up * steps - 1;
  const double low = s.lr / kOneCycleRise;
  if (step <= peak) return peak > 0 ? anneal(low, s.lr, step / peak) : s.lr;
  return anneal(s.lr, low / kOneCycleFall, (step - peak) / (steps - 1 - peak));
}

}  // namespace

double learning_rate(const TrainSettings& s, int64_t step, int epoch_steps) {
  const auto at = static_cast<double>(step);
  const double steps = static_cast<double>(s.epochs) * epoch_steps;
  if (s.schedule == Schedule::kOneCycle) return one_cycle(s, at, steps);
  const double warm_up = std::round(s.warmup.value_or(0) * epoch_steps);
  if (at < warm_up) return s.lr * ((at + 1) / warm_up);
  if (s.schedule == Schedule::kCosine) return anneal(s.lr, 0, (at - warm_up) / (steps - warm_up));
  if (s.schedule == Schedule::kStep) {
    const int64_t falls = step / epoch_steps / s.step_epochs;
    return s.lr * std::pow(s.gamma, static_cast<double>(falls));
  }
  return s.lr;
}

std::vector<StepRates> epoch_rates(const TrainSettings& s, int epoch, int first, int last,
                                   int epoch_steps) {
  const Optimizer optimizer = training_of(s).optimizer;
  std::vector<StepRates> rates;
  for (int i = first; i < last; ++i) {
    const int64_t step = int64_t{epoch - 1} * epoch_steps + i;
    rates.push_back(step_rates(optimizer, learning_rate(s, step, epoch_steps), step + 1));
  }
  return rates;
}

}  // namespace digitron
