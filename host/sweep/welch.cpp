#include "host/sweep/welch.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace digitron {

std::optional<double> welch_p(const Statistics& a, const Statistics& b) {
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
