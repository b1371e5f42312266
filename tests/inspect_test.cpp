#include "host/text/inspect.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "host/text/table.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(TableTest, GroupsThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(61706), "61,706");
  EXPECT_EQ(grouped(1234567890), "1,234,567,890");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(grouped(-1234), "-1,234");
}

TEST(TableTest, AlignsColumnsAndTrimsLines) {
  EXPECT_EQ(format_table({{"a", "long", ""}, {"bcd", "x", "y"}}, "lrl"),
            "a    long\nbcd     x  y\n");
  EXPECT_EQ(format_table({{"5\u00d75", "a"}, {"1234", "b"}}, "ll"), "5\u00d75   a\n1234  b\n")
      << "characters, not bytes";
}

TEST(InspectTest, TotalsAndArithmetic) {
  const std::string table = plan_table(make_plan(lenet5(), 64));
  EXPECT_THAT(table, HasSubstr("LeNet-5: 61,706 parameters, 246,824 bytes in fp32"));
  EXPECT_THAT(table, HasSubstr("(6 \u00d7 5 \u00d7 5) \u00d7 16 + 16 = 2,416"));
  EXPECT_THAT(table, HasSubstr("1\u00d728\u00d728   6\u00d728\u00d728   5\u00d75 pad 2"));
  const std::string improved = plan_table(make_plan(lenet5_improved(), 64));
  EXPECT_THAT(improved, HasSubstr("LeNet-5 Improved: 61,750 parameters, 247,000 bytes in fp32"));
  EXPECT_THAT(improved, HasSubstr(" 6 + 6 = 12 "));
  EXPECT_THAT(improved, HasSubstr("\ndropout1  120       120       p 0.5  "));
  EXPECT_THAT(plan_table(make_plan(parse_model("conv 2x3 stride 2, fc 10"), 1)),
              HasSubstr("3\u00d73 stride 2"));
}

TEST(InspectTest, TellsOfSeveralViews) {
  EXPECT_THAT(plan_table(make_plan(find_model("lenet5-best"), 1)),
              HasSubstr("\nEvaluation and prediction take each image in 5 places, "));
  EXPECT_THAT(plan_table(make_plan(lenet5(), 1)), Not(HasSubstr("places")));
}

TEST(InspectTest, SoftmaxOfLargeLogits) {
  const std::vector<float> logits{1000, 999, -1000};
  const std::vector<double> p = softmax(logits);
  EXPECT_TRUE(std::abs(p[0] - 1 / (1 + std::exp(-1))) <= 1e-12);
  EXPECT_TRUE(std::abs(std::accumulate(p.begin(), p.end(), 0.0) - 1) <= 1e-12);
  EXPECT_EQ(p[2], 0);
}

TEST(InspectTest, PredictedClassIsTheFirstLargest) {
  std::vector<float> logits(20, -1);
  logits[3] = logits[5] = 2;
  logits[19] = 1;
  EXPECT_EQ(predicted_classes(logits, 10), (std::vector<int>{3, 9}));
}

TEST(InspectTest, ConfusionHasTruthInRows) {
  const std::vector<uint8_t> labels{1, 1, 1, 1, 2};
  const std::vector<int> predictions{1, 1, 1, 7, 2};
  const std::string table = confusion_table({}, confusion_counts(labels, predictions, 10));
  EXPECT_THAT(table, HasSubstr("\n    1      0      3      0      0      0      0      0      1    "
                               "  0      0   75.00%\n"));
  EXPECT_THAT(table, EndsWith("    9      0      0      0      0      0      0      0      0      "
                              "0      0        -\n"));
}

}  // namespace
}  // namespace digitron
