#include "host/text/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace digitron {

std::optional<Statistics> statistics(std::span<const double> values) {
  if (values.empty()) return std::nullopt;
  const auto count = static_cast<double>(values.size());
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  Statistics s{values.size(), std::accumulate(values.begin(), values.end(), 0.0) / count, 0,
               *lowest, *highest};
  if (values.size() < 2) return s;
  double squares = 0;
  for (const double value : values) squares += (value - s.mean) * (value - s.mean);
  s.deviation = std::sqrt(squares / (count - 1));
  return s;
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return std::midpoint(*middle, *std::max_element(values.begin(), middle));
}

}  // namespace digitron
