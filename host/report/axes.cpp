#include "host/report/axes.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace digitron {

namespace {

// The digits that get a tic in every power of ten: the wider the range, the fewer.
std::vector<int> tic_digits(double powers) {
  if (powers < 0.6) return {1, 2, 3, 4, 5, 6, 7, 8, 9};
  if (powers < 1.2) return {1, 2, 3, 5, 7};
  if (powers < 4) return {1, 2, 5};
  return {1};
}

// The nearest 1, 2 or 5 times a power of ten that is not above a positive value, or not below it.
double one_two_five(double value, bool above) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  double nearest = above ? 10 * power : power;
  for (const double digit : {1.0, 2.0, 5.0}) {
    const double candidate = digit * power;
    if (above ? candidate >= value && candidate < nearest : candidate <= value) nearest = candidate;
  }
  return nearest;
}

}  // namespace

void ValueRange::add(double value) {
  lowest = std::min(lowest, value);
  highest = std::max(highest, value);
}

bool has_span(const ValueRange& range) {
  constexpr double kLeast = 1e-9;
  const double largest = std::max(std::abs(range.lowest), std::abs(range.highest));
  return std::isfinite(range.span()) && range.span() >= kLeastDrawn &&
         range.span() > kLeast * largest;
}

double tic_step(double span, int most) {
  const double least = span / most;
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= least) return digit * power;
  }
  return 10 * power;
}

ValueRange rounded_out(const ValueRange& range, int most) {
  const double step = tic_step(range.span(), most);
  return {step * std::floor(range.lowest / step), step * std::ceil(range.highest / step)};
}

std::string epoch_axis(const ValueRange& epochs) {
  constexpr int kMostTics = 10;
  if (!(epochs.lowest < epochs.highest)) {
    return fmt::format("set xrange [{}:{}]\nset xtics {},1\n", epochs.lowest - 1, epochs.lowest + 1,
                       epochs.lowest);
  }
  const double step = std::max(1.0, tic_step(epochs.span(), kMostTics));
  return fmt::format("set xrange [{}:{}]\nset xtics {}\n", epochs.lowest, epochs.highest, step);
}

std::string linear_axis(const ValueRange& values, char axis, int most) {
  if (has_span(values)) {
    const ValueRange range = rounded_out(values, most);
    return fmt::format("set {0}range [{1}:{2}]\nset {0}tics {3}\n", axis, range.lowest,
                       range.highest, tic_step(values.span(), most));
  }
  const double margin = std::max(std::abs(values.lowest) * 0.1, 1e-6);
  return fmt::format("set {0}range [{1}:{2}]\nset {0}tics autofreq\n", axis, values.lowest - margin,
                     values.lowest + margin);
}

// gnuplot's own tics, at powers of ten, leave most of such an axis unmarked.
std::string logarithmic_axis(const ValueRange& values) {
  double lowest = one_two_five(values.lowest, false);
  double highest = one_two_five(values.highest, true);
  if (!(lowest < highest)) {  // one value, and a tic's
    lowest /= 2;
    highest *= 2;
  }
  const int first = static_cast<int>(std::floor(std::log10(lowest)));
  const int last = static_cast<int>(std::ceil(std::log10(highest)));
  std::string tics;
  for (int power = first; power <= last; ++power) {
    for (const int digit : tic_digits(std::log10(highest / lowest))) {
      tics += fmt::format("{}{}e{}", tics.empty() ? "" : ",", digit, power);
    }
  }
  return fmt::format("set logscale y\nset yrange [{}:{}]\nset ytics ({})\n", lowest, highest, tics);
}

}  // namespace digitron
