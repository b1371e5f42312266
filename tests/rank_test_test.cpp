#include "host/bench/rank_test.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>
#include <random>

namespace digitron {
namespace {

using ::testing::DoubleEq;

using Values = std::vector<double>;

// In how many pairs the one of b is above the one of a; a tie counts a half.
double u_of(const Values& a, const Values& b) {
  double u = 0;
  for (const double x : a) {
    for (const double y : b) u += y > x ? 1 : y == x ? 0.5 : 0;
  }
  return u;
}

// Samples without ties that have this U: the values of b rise past all of a, the highest first.
std::pair<Values, Values> with_u(int count_a, int count_b, int u) {
  std::vector<bool> is_b(static_cast<size_t>(count_a + count_b), false);
  for (int i = count_b - 1; i >= 0; --i) {
    const int passed = std::min(u, count_a);
    is_b[static_cast<size_t>(i + passed)] = true;
    u -= passed;
  }
  Values a, b;
  for (size_t i = 0; i < is_b.size(); ++i) (is_b[i] ? b : a).push_back(static_cast<double>(i + 1));
  return {a, b};
}

// By definition: among all ways to part the values, those whose U lies as far out, doubled.
double enumerated_p(const Values& a, const Values& b) {
  Values both = a;
  both.insert(both.end(), b.begin(), b.end());
  std::vector<bool> is_b(both.size(), false);
  std::fill(is_b.begin() + static_cast<std::ptrdiff_t>(a.size()), is_b.end(), true);
  const double u = u_of(a, b);
  double ways = 0, below = 0, above = 0;
  do {
    Values first, second;
    for (size_t i = 0; i < both.size(); ++i) (is_b[i] ? second : first).push_back(both[i]);
    const double other = u_of(first, second);
    ++ways;
    below += other <= u;
    above += other >= u;
  } while (std::next_permutation(is_b.begin(), is_b.end()));
  return std::min(1.0, 2 * std::min(below, above) / ways);
}

// One-sided probabilities of table I of Mann and Whitney (1947), to the three digits it has.
TEST(RankTest, HasThePublishedDistribution) {
  const auto expect_table = [](int a, int b, const Values& table) {
    for (size_t u = 0; u < table.size(); ++u) {
      const auto [low, high] = with_u(a, b, static_cast<int>(u));
      ASSERT_EQ(u_of(low, high), static_cast<double>(u));
      EXPECT_NEAR(mann_whitney_p(low, high) / 2, table[u], 0.0005) << a << " " << b << " U " << u;
      EXPECT_DOUBLE_EQ(mann_whitney_p(low, high), mann_whitney_p(high, low));
    }
  };
  expect_table(3, 3, {0.050, 0.100, 0.200, 0.350, 0.500});
  expect_table(4, 4, {0.014, 0.029, 0.057, 0.100, 0.171, 0.243, 0.343, 0.443});
  expect_table(
      5, 5,
      {0.004, 0.008, 0.016, 0.028, 0.048, 0.075, 0.111, 0.155, 0.210, 0.274, 0.345, 0.421, 0.500});
}

// Permeability constants of Hollander and Wolfe (1973), page 69: R's example of wilcox.test, whose
// one-sided p is 0.1272.
TEST(RankTest, GivesThePublishedProbability) {
  const Values at_term{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  const Values early{1.15, 0.88, 0.90, 0.74, 1.21};
  EXPECT_EQ(u_of(early, at_term), 35);
  EXPECT_NEAR(mann_whitney_p(at_term, early), 2 * 0.1272, 1e-4);
}

TEST(RankTest, IsExactWithTies) {
  std::mt19937 random(1);
  for (int i = 0; i < 40; ++i) {
    Values a(2 + random() % 4), b(2 + random() % 4);
    for (Values* values : {&a, &b}) {
      for (double& value : *values) value = 1 + random() % 4;
    }
    EXPECT_NEAR(mann_whitney_p(a, b), enumerated_p(a, b), 1e-12);
  }
  EXPECT_EQ(mann_whitney_p(Values{2, 2, 2}, Values{2, 2, 2, 2}), 1);
}

TEST(RankTest, IsNormalForManyValues) {
  const boost::math::normal normal;
  for (const int u : {120, 140, 150, 199, 220}) {
    const auto [low, high] = with_u(21, 21, u);
    const double mean = 21 * 21 / 2.0;
    const double deviation = std::sqrt(21 * 21 * 43 / 12.0);
    const double p = 2 * cdf(normal, (u + 0.5 - mean) / deviation);
    EXPECT_NEAR(mann_whitney_p(low, high), std::min(1.0, p), 1e-12);
    // The same rule beside the exact distribution, where both are to be had.
    const auto [low_exact, high_exact] = with_u(20, 20, u - 20);
    const double deviation_exact = std::sqrt(20 * 20 * 41 / 12.0);
    const double p_exact = 2 * cdf(normal, (u - 20 + 0.5 - 200) / deviation_exact);
    EXPECT_NEAR(mann_whitney_p(low_exact, high_exact), std::min(1.0, p_exact), 0.005);
  }
  const Values equal(30, 1.5);
  EXPECT_EQ(mann_whitney_p(equal, equal), 1);
}

TEST(RankTest, KnowsWhatFewRepeatsCanShow) {
  EXPECT_EQ(least_p(1, 1), 1);
  EXPECT_DOUBLE_EQ(least_p(3, 3), 0.1);
  EXPECT_DOUBLE_EQ(least_p(4, 4), 2.0 / 70);
  EXPECT_DOUBLE_EQ(least_p(5, 5), 2.0 / 252);
  EXPECT_FALSE(ratio_interval(Values{1, 2, 3}, Values{7, 8, 9}).has_value());
  EXPECT_TRUE(ratio_interval(Values{1, 2, 3, 4}, Values{7, 8, 9, 10}).has_value());
}

TEST(RankTest, EstimatesTheRatio) {
  EXPECT_DOUBLE_EQ(ratio_estimate(Values{2}, Values{3}), 1.5);
  EXPECT_DOUBLE_EQ(ratio_estimate(Values{1, 2}, Values{4, 16}), std::sqrt(4.0 * 8.0))
      << "of 2, 4, 8 and 16: the middle on a logarithmic scale";
  const Values a{1.00, 1.01, 0.99, 1.02, 1.70};
  Values slower;
  for (const double value : a) slower.push_back(1.05 * value);
  EXPECT_NEAR(ratio_estimate(a, slower), 1.05, 1e-12) << "whatever the outlier";
  EXPECT_NEAR(ratio_estimate(slower, a), 1 / 1.05, 1e-12);
}

// With five values each the third ratios from either end: 2 P(U <= 2) is 0.032, and 2 P(U <= 3)
// more than 0.05.
TEST(RankTest, IntervalIsMadeOfOrderedRatios) {
  const Values a{1, 1, 1, 1, 1};
  const Values b{2, 3, 5, 7, 11};
  const auto one_of_each = ratio_interval(Values{1}, b);
  EXPECT_FALSE(one_of_each.has_value());
  const std::optional<Interval> interval = ratio_interval(a, b);
  ASSERT_TRUE(interval.has_value());
  EXPECT_EQ(interval->low, 2);
  EXPECT_EQ(interval->high, 11);
  const Values scale{1, 10, 100, 1000, 10000};
  const std::optional<Interval> third = ratio_interval(Values{1, 10, 100, 1000, 10000}, scale);
  ASSERT_TRUE(third.has_value());
  EXPECT_THAT(third->low, DoubleEq(1e-3)) << "after 1e-4 and the first of two 1e-3";
  EXPECT_THAT(third->high, DoubleEq(1e3));
}

// The interval leaves 1 out exactly when the test rejects, and covers the truth as often as it
// says.
TEST(RankTest, IntervalAgreesWithTheTest) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> noise(0, 0.02);
  int covered = 0;
  constexpr int kTimes = 1000;
  for (int i = 0; i < kTimes; ++i) {
    Values a(4 + i % 4), b(4 + i / 4 % 4);
    for (double& value : a) value = noise(random);
    for (double& value : b) value = 1.03 * noise(random);
    const std::optional<Interval> interval = ratio_interval(a, b);
    ASSERT_TRUE(interval.has_value());
    covered += interval->low <= 1.03 && 1.03 <= interval->high;
    const bool rejects = mann_whitney_p(a, b) <= 1 - kConfidence;
    EXPECT_EQ(rejects, interval->low > 1 || interval->high < 1);
  }
  EXPECT_GE(covered, kConfidence * kTimes);
}

}  // namespace
}  // namespace digitron
