#include "host/sweep/welch.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

namespace digitron {

Sample summarize(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  Sample sample{values.size(), std::accumulate(values.begin(), values.end(), 0.0) / count, 0,
                *least, *most};
  if (values.size() < 2) return sample;
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  sample.deviation = std::sqrt(squares / (count - 1));
  return sample;
}

std::optional<double> welch_p(const Sample& a, const Sample& b) {
  if (a.count < 2 || b.count < 2) return std::nullopt;
  // The squared standard errors of the means.
  const double error_a = a.deviation * a.deviation / static_cast<double>(a.count);
  const double error_b = b.deviation * b.deviation / static_cast<double>(b.count);
  const double error = error_a + error_b;
  if (!(error > 0)) return std::nullopt;
  const double t = (a.mean - b.mean) / std::sqrt(error);
  const double freedom = error * error /
                         (error_a * error_a / static_cast<double>(a.count - 1) +
                          error_b * error_b / static_cast<double>(b.count - 1));
  const boost::math::students_t distribution(freedom);
  return 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(t)));
}

}  // namespace digitron
