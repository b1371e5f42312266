#include "host/text/significance.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

namespace digitron {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

using Values = std::vector<double>;

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

// R's p.adjust(method = "holm").
TEST(HolmTest, RaisesProbabilities) {
  EXPECT_THAT(holm_adjusted(Values{0.01, 0.04, 0.03, 0.005}),
              ElementsAre(DoubleEq(0.03), DoubleEq(0.06), DoubleEq(0.06), DoubleEq(0.02)));
  EXPECT_THAT(holm_adjusted(Values{0.5, 0.9}), ElementsAre(1, 1));
  EXPECT_THAT(holm_adjusted(Values{}), ElementsAre());
}

TEST(DifferencesTest, HolmCountsThoseThatAreTested) {
  const Statistics reference = of({1, 2, 3});
  const std::vector<std::optional<Statistics>> samples{of({11, 12, 13}), std::nullopt, of({5}),
                                                       of({2, 3, 4})};
  const std::vector<Significance> results = significances(reference, samples);
  ASSERT_EQ(results.size(), samples.size());
  EXPECT_DOUBLE_EQ(*results[0].raw, *welch_p(*samples[0], reference));
  EXPECT_DOUBLE_EQ(*results[0].p, 2 * *results[0].raw) << "of two, not of four";
  EXPECT_FALSE(results[1].raw || results[1].p);
  EXPECT_FALSE(results[2].raw || results[2].p) << "one value";
  EXPECT_DOUBLE_EQ(*results[3].p, *results[3].raw);
  EXPECT_FALSE(significances(std::nullopt, samples)[0].p) << "no reference";
}

// Of 3 values, Student's t with 2 degrees of freedom: 4.303 (any table).
TEST(MeanMarginTest, IsStudents) {
  EXPECT_NEAR(*mean_margin(of({1, 2, 3})), 4.303 / std::sqrt(3.0), 5e-4);
  EXPECT_FALSE(mean_margin(of({1})));
}

}  // namespace
}  // namespace digitron
