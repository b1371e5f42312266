#include "host/core/profile.h"

#include <algorithm>
#include <numeric>

namespace digitron {

namespace {

// The steps in the middle half by length; all of them when they are three or fewer.
std::vector<size_t> steady_steps(std::span<const double> step_seconds) {
  std::vector<size_t> steps(step_seconds.size());
  std::iota(steps.begin(), steps.end(), size_t{0});
  std::stable_sort(steps.begin(), steps.end(),
                   [&](size_t a, size_t b) { return step_seconds[a] < step_seconds[b]; });
  const auto quarter = static_cast<std::ptrdiff_t>(steps.size() / 4);
  return {steps.begin() + quarter, steps.end() - quarter};
}

// Of one phase of all; values: (steps, phases).
double mean(std::span<const double> values, size_t phase, size_t phases,
            std::span<const size_t> steps) {
  double sum = 0;
  for (const size_t step : steps) sum += values[step * phases + phase];
  return steps.empty() ? 0 : sum / static_cast<double>(steps.size());
}

}  // namespace

double steady_mean(std::span<const double> step_seconds) {
  return mean(step_seconds, 0, 1, steady_steps(step_seconds));
}

Profile steady_profile(std::vector<Phase> phases, std::span<const double> step_seconds,
                       std::span<const double> times, std::span<const double> slowest) {
  std::vector<double> sums(step_seconds.size());
  for (size_t i = 0; i < times.size(); ++i) sums[i / phases.size()] += times[i];
  const std::vector<size_t> steps = steady_steps(sums);
  for (size_t i = 0; i < phases.size(); ++i) {
    phases[i].time = mean(times, i, phases.size(), steps);
    phases[i].slowest = mean(slowest, i, phases.size(), steps);
  }
  return {"seconds", std::move(phases), mean(step_seconds, 0, 1, steps)};
}

}  // namespace digitron
