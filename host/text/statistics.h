// Mean, spread and range of several figures.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace digitron {

struct Statistics {
  size_t count = 0;
  double mean = 0;
  double deviation = 0;  // estimated from the sample (n - 1); 0 for one value
  double lowest = 0;
  double highest = 0;
};

// Nothing when there are no values.
std::optional<Statistics> statistics(std::span<const double> values);

// The middle value, or the mean of the middle two. There is one value at least.
double median_of(std::vector<double> values);

}  // namespace digitron
