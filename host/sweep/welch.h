// Do two settings differ by more than their seeds do?
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace digitron {

struct Sample {
  size_t count = 0;
  double mean = 0;
  double deviation = 0;  // estimated from the sample (n - 1); 0 for one value
  double least = 0;
  double most = 0;
};

// Of at least one value.
Sample summarize(std::span<const double> values);

// Welch's t-test, for samples whose variances may differ: the two-sided probability that means lie
// so far apart by chance. Nothing where it is not defined: a sample of one, or no variance at all.
// B. L. Welch, Biometrika 34 (1947).
std::optional<double> welch_p(const Sample& a, const Sample& b);

}  // namespace digitron
