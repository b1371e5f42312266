// Do two settings differ by more than their seeds do?
#pragma once

#include <optional>

#include "host/text/statistics.h"

namespace digitron {

// Welch's t-test, for samples whose variances may differ: the two-sided probability that means lie
// so far apart by chance. Nothing where it is not defined: a sample of one, or no variance at all.
// B. L. Welch, Biometrika 34 (1947).
std::optional<double> welch_p(const Statistics& a, const Statistics& b);

}  // namespace digitron
