#include "host/sweep/welch.h"

#include <gtest/gtest.h>

#include <vector>

namespace digitron {
namespace {

Statistics of(const std::vector<double>& values) {
  return statistics(values).value();
}

TEST(WelchTest, SummarizesASample) {
  const Statistics s = of(std::vector<double>{1, 2, 3, 6});
  EXPECT_EQ(s.count, 4u);
  EXPECT_DOUBLE_EQ(s.mean, 3);
  EXPECT_DOUBLE_EQ(s.deviation * s.deviation, 14.0 / 3);
  EXPECT_EQ(s.lowest, 1);
  EXPECT_EQ(s.highest, 6);
  EXPECT_EQ(of(std::vector<double>{5}).deviation, 0);
}

// scipy.stats.ttest_ind(a, b, equal_var=False).pvalue
TEST(WelchTest, GivesThePublishedProbability) {
  const std::vector<double> a{27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1,
                              21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4};
  const std::vector<double> b{27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0,
                              24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 31.3};
  const auto p = welch_p(of(a), of(b));
  ASSERT_TRUE(p.has_value());
  EXPECT_NEAR(*p, 0.006460408027460322, 1e-9);
  EXPECT_DOUBLE_EQ(*p, *welch_p(of(b), of(a)));
}

TEST(WelchTest, EqualMeansAreCertainToDifferSoMuch) {
  const std::vector<double> a{1, 2, 3}, b{0, 2, 4};
  EXPECT_DOUBLE_EQ(*welch_p(of(a), of(b)), 1);
}

TEST(WelchTest, IsNotDefinedForOneValueOrNoVariance) {
  const Statistics pair = of(std::vector<double>{1, 2});
  EXPECT_FALSE(welch_p(of(std::vector<double>{1}), pair).has_value());
  EXPECT_FALSE(welch_p(pair, of(std::vector<double>{1})).has_value());
  const Statistics constant = of(std::vector<double>{1, 1});
  EXPECT_FALSE(welch_p(constant, constant).has_value());
}

}  // namespace
}  // namespace digitron
