#include "host/text/significance.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

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

std::vector<double> holm_adjusted(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double greatest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double raised = static_cast<double>(p.size() - i) * p[order[i]];
    greatest = std::max(greatest, std::min(1.0, raised));
    adjusted[order[i]] = greatest;
  }
  return adjusted;
}

std::vector<Significance> significances(const std::optional<Statistics>& reference,
                                        std::span<const std::optional<Statistics>> samples) {
  std::vector<Significance> results;
  std::vector<double> tested;
  for (const std::optional<Statistics>& sample : samples) {
    Significance& result = results.emplace_back();
    if (reference && sample) result.raw = welch_p(*sample, *reference);
    if (result.raw) tested.push_back(*result.raw);
  }
  const std::vector<double> adjusted = holm_adjusted(tested);
  auto next = adjusted.begin();
  for (Significance& result : results) {
    if (result.raw) result.p = *next++;
  }
  return results;
}

std::optional<double> mean_margin(const Statistics& sample) {
  constexpr double kTail = 0.025;  // on either side
  if (sample.count < 2) return std::nullopt;
  const auto count = static_cast<double>(sample.count);
  const boost::math::students_t distribution(count - 1);
  return boost::math::quantile(boost::math::complement(distribution, kTail)) * sample.deviation /
         std::sqrt(count);
}

}  // namespace digitron
