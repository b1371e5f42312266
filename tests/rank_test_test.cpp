#include "host/bench/rank_test.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
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

// By definition: among all ways to sign the sizes, those whose sum of ranks lies as far out,
// doubled.
double enumerated_signed_p(const Values& differences) {
  Values seen, sizes;
  for (const double difference : differences) {
    if (difference == 0) continue;
    seen.push_back(difference);
    sizes.push_back(std::abs(difference));
  }
  const auto rank_sum = [&](auto is_above) {
    double sum = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (!is_above(i)) continue;
      for (const double other : sizes) sum += other < sizes[i] ? 1 : other == sizes[i] ? 0.5 : 0;
      sum += 0.5;  // with itself: ranks begin at 1
    }
    return sum;
  };
  const double w = rank_sum([&](size_t i) { return seen[i] > 0; });
  double below = 0, above = 0;
  const uint32_t ways = 1U << sizes.size();
  for (uint32_t way = 0; way < ways; ++way) {
    const double other = rank_sum([&](size_t i) { return (way >> i & 1U) != 0; });
    below += other <= w;
    above += other >= w;
  }
  return std::min(1.0, 2 * std::min(below, above) / ways);
}

// Hamilton's depression scale of nine patients before and after, Hollander and Wolfe (1973), page
// 29: R's example of wilcox.test, whose V is 40 and one-sided p 0.01953; the book's estimate is
// 0.46, and its interval of 96.1 % from 0.010 to 0.786.
const Values kDepression{1.83 - 0.878, 0.50 - 0.647, 1.62 - 0.598, 2.48 - 2.05, 1.68 - 1.06,
                         1.88 - 1.29,  1.55 - 1.06,  3.06 - 3.14,  1.30 - 1.29};

TEST(RankTest, PairsGiveThePublishedFigures) {
  EXPECT_DOUBLE_EQ(signed_rank_p(kDepression), 2 * 10.0 / 512);
  EXPECT_NEAR(walsh_median(kDepression), 0.46, 1e-9);
  const std::optional<Interval> interval = walsh_interval(kDepression);
  ASSERT_TRUE(interval.has_value());
  EXPECT_NEAR(interval->low, 0.010, 5e-4);
  EXPECT_NEAR(interval->high, 0.786, 5e-4);
}

// Wilcoxon's own table (1945) for the sum of the ranks of one sign: 2 % and 5 %, two-sided, are not
// exceeded with these.
TEST(RankTest, PairsHaveThePublishedDistribution) {
  const auto p_of = [](int count, int sum) {
    Values differences;
    for (int rank = count; rank > 0; --rank) {
      const bool below = rank <= sum;
      if (below) sum -= rank;
      differences.push_back(below ? -rank : rank);
    }
    return signed_rank_p(differences);
  };
  const std::vector<std::array<int, 3>> table{
      {8, 1, 3}, {10, 5, 8}, {12, 9, 13}, {15, 19, 25}, {20, 43, 52}, {25, 76, 89}, {30, 120, 137}};
  for (const auto& [count, two, five] : table) {
    EXPECT_LE(p_of(count, two), 0.02) << count;
    EXPECT_GT(p_of(count, two + 1), 0.02) << count;
    EXPECT_LE(p_of(count, five), 0.05) << count;
    EXPECT_GT(p_of(count, five + 1), 0.05) << count;
  }
}

TEST(RankTest, PairsAreExactWithTies) {
  std::mt19937 random(2);
  for (int i = 0; i < 60; ++i) {
    Values differences(1 + random() % 9);
    for (double& difference : differences) difference = static_cast<int>(random() % 9) - 4;
    EXPECT_NEAR(signed_rank_p(differences), enumerated_signed_p(differences), 1e-12);
  }
  EXPECT_EQ(signed_rank_p(Values{0, 0, 0}), 1);
  EXPECT_EQ(signed_rank_p(Values{}), 1);
}

TEST(RankTest, KnowsWhatFewPairsCanShow) {
  EXPECT_EQ(least_signed_rank_p(1), 1);
  EXPECT_DOUBLE_EQ(least_signed_rank_p(6), 2.0 / 64);
  EXPECT_DOUBLE_EQ(signed_rank_p(Values{1, 2, 3, 4, 5, 6}), least_signed_rank_p(6));
  EXPECT_FALSE(walsh_interval(Values{1, 2, 3, 4, 5}).has_value());
  const std::optional<Interval> interval = walsh_interval(Values{1, 2, 3, 4, 5, 60});
  ASSERT_TRUE(interval.has_value());
  EXPECT_EQ(interval->low, 1);
  EXPECT_EQ(interval->high, 60);
  EXPECT_EQ(walsh_median(Values{3}), 3);
  EXPECT_EQ(walsh_median(Values{1, 2, 60}), 16.25) << "of 1, 1.5, 2, 30.5, 31 and 60";
}

// And a pair that is far out moves next to nothing.
TEST(RankTest, PairsIntervalAgreesWithTheTest) {
  std::mt19937_64 random(8);
  std::normal_distribution<double> noise(0, 0.02);
  constexpr int kTimes = 1000;
  int covered = 0;
  for (int i = 0; i < kTimes; ++i) {
    Values differences(static_cast<size_t>(6 + i % 15));
    for (double& difference : differences) difference = 0.015 + noise(random);
    const std::optional<Interval> interval = walsh_interval(differences);
    ASSERT_TRUE(interval.has_value());
    covered += interval->low <= 0.015 && 0.015 <= interval->high;
    EXPECT_EQ(signed_rank_p(differences) <= 1 - kConfidence,
              interval->low > 0 || interval->high < 0);
  }
  EXPECT_GE(covered, kConfidence * kTimes);
  Values steady{0.048, 0.049, 0.050, 0.050, 0.051, 0.052, 0.049, 0.051, 0.050, 0.048};
  const double before = walsh_median(steady);
  steady.push_back(0.34);
  EXPECT_NEAR(walsh_median(steady), before, 1e-3);
}

}  // namespace
}  // namespace digitron
