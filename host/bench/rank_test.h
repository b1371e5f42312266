// Is one set of figures larger than another by more than chance? Tests that look at ranks alone, so
// that neither the noise's distribution nor an outlier's size counts.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace digitron {

// 95 %: what an interval covers, and one less what a verdict's chance to be wrong may be.
inline constexpr double kConfidence = 0.95;

struct Interval {
  double low = 0;
  double high = 0;
};

// Mann-Whitney's U test: the two-sided probability that samples of one distribution lie so far
// apart. Exact, ties included, for up to 20 values each; above, the normal approximation. Both
// samples hold something, and only finite numbers.
// H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18 (1947).
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

// The smallest mann_whitney_p that samples of these sizes can have.
double least_p(size_t a, size_t b);

// By which factor `b` is larger than `a`: the median, on a logarithmic scale, of all the ratios of
// one of b to one of a. The numbers are positive.
// J. L. Hodges, E. L. Lehmann, Annals of Mathematical Statistics 34 (1963).
double ratio_estimate(std::span<const double> a, std::span<const double> b);

// The factors that mann_whitney_p does not rule out at kConfidence, which assumes no distribution:
// two of the ordered ratios. Nothing where the samples are too small to rule out any (4 against 4
// can, 3 against 3 cannot).
// M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical Methods (2014), section 4.3.
std::optional<Interval> ratio_interval(std::span<const double> a, std::span<const double> b);

// Wilcoxon's signed-rank test, for figures in pairs: the two-sided probability that differences
// which are as often above zero as below it lie so far to one side. Exact, ties included, for any
// number; those that are zero say nothing and are left out. All are finite.
// F. Wilcoxon, Biometrics Bulletin 1 (1945).
double signed_rank_p(std::span<const double> differences);

// The smallest signed_rank_p that so many differences can have.
double least_signed_rank_p(size_t count);

// The difference itself: the median of the means of all two of them, each with itself too. There is
// one at least. Hodges and Lehmann, as above.
double walsh_median(std::span<const double> differences);

// The differences that signed_rank_p does not rule out at kConfidence: two of those ordered means.
// Nothing for fewer than 6. Hollander, Wolfe and Chicken, section 3.3.
std::optional<Interval> walsh_interval(std::span<const double> differences);

}  // namespace digitron
