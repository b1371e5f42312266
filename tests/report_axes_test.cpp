#include "host/report/axes.h"

#include <gmock/gmock.h>

namespace digitron {
namespace {

using ::testing::HasSubstr;

TEST(AxesTest, StepsAreOneTwoOrFive) {
  EXPECT_EQ(tic_step(10, 10), 1);
  EXPECT_EQ(tic_step(11, 10), 2);
  EXPECT_EQ(tic_step(3, 6), 0.5);
  EXPECT_EQ(tic_step(40, 6), 10);
  EXPECT_EQ(tic_step(0.05, 6), 0.01);
}

TEST(AxesTest, RoundedOutHoldsTheRange) {
  const ValueRange rounded = rounded_out({97.13, 99.98}, 6);
  EXPECT_EQ(rounded.lowest, 97);
  EXPECT_EQ(rounded.highest, 100);
}

TEST(AxesTest, ASpanIsMoreThanRoundings) {
  EXPECT_TRUE(has_span({0, 1e-300}));
  EXPECT_FALSE(has_span({}));
  EXPECT_FALSE(has_span({5, 5}));
  EXPECT_FALSE(has_span({1e15, 1e15 + 1}));
  EXPECT_FALSE(has_span({-1e308, 1e308})) << "infinite";
}

TEST(AxesTest, TheWiderALogarithmicAxisTheFewerTics) {
  EXPECT_THAT(logarithmic_axis({0.02, 1}), HasSubstr("1e-2,2e-2,5e-2,1e-1,2e-1,5e-1,1e0"));
  EXPECT_THAT(logarithmic_axis({1e-6, 1}), HasSubstr("1e-6,1e-5,1e-4,1e-3,1e-2,1e-1,1e0"));
}

}  // namespace
}  // namespace digitron
