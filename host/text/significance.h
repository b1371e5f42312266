// Do samples differ by more than chance?
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "host/text/statistics.h"

namespace digitron {

// What is called more than chance: a probability of this at most.
inline constexpr double kSignificant = 0.05;

// Welch's t-test, for samples whose variances may differ: the two-sided probability that means lie
// so far apart by chance. Nothing where it is not defined: a sample of one, or no variance at all.
// B. L. Welch, Biometrika 34 (1947).
std::optional<double> welch_p(const Statistics& a, const Statistics& b);

// Probabilities of several tests, each raised so that the chance of even one wrong rejection among
// them stays what it would be for one test. S. Holm, Scandinavian Journal of Statistics 6 (1979).
std::vector<double> holm_adjusted(std::span<const double> p);

// Of one sample against a reference; nothing where welch_p is not defined.
struct Significance {
  std::optional<double> raw;  // welch_p
  std::optional<double> p;    // as holm_adjusted raises it over all that are tested
};

// Of each sample against `reference`. A sample that is not there (nullopt) is not tested.
std::vector<Significance> significances(const std::optional<Statistics>& reference,
                                        std::span<const std::optional<Statistics>> samples);

// Half of Student's 95 % interval of the mean. Nothing for a sample of one.
std::optional<double> mean_margin(const Statistics& sample);

}  // namespace digitron
