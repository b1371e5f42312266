#include "host/report/calibration.h"

#include <gmock/gmock.h>

#include <cmath>

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CalibrationTest, BinsHoldTheirUpperEnds) {
  Calibration calibration{};
  for (const double confidence : {0.0, 0.05, 1.0 / 15, 0.07, 0.99, 1.0}) {
    add_answer(calibration, confidence, true);
  }
  EXPECT_EQ(calibration[0].count, 3);
  EXPECT_EQ(calibration[1].count, 1);
  EXPECT_EQ(calibration[14].count, 2);
  EXPECT_EQ(calibration[14].confidence, 1.99);
}

// Guo et al.: the sum over the bins of |B| / n * |acc(B) - conf(B)|.
TEST(CalibrationTest, TheErrorByHand) {
  Calibration calibration{};
  EXPECT_EQ(expected_calibration_error(calibration), 0);
  add_answer(calibration, 0.95, true);
  add_answer(calibration, 0.97, false);  // 2/4 * |0.5 - 0.96|
  add_answer(calibration, 0.5, true);    // 1/4 * |1 - 0.5|
  add_answer(calibration, 0.25, false);  // 1/4 * |0 - 0.25|
  EXPECT_TRUE(std::abs(expected_calibration_error(calibration) - 0.4175) < 1e-12);
}

TEST(CalibrationTest, TheDiagramIsCleanSvg) {
  Calibration calibration{};
  add_answer(calibration, 0.9, true);
  const Picture picture = reliability_diagram(calibration);
  EXPECT_THAT(picture.svg, AllOf(HasSubstr(">Confidence</text>"), HasSubstr(">Accuracy</text>"),
                                 HasSubstr(">Images</text>"), HasSubstr("var(--curve-1, ")));
  EXPECT_EQ(picture.svg.find(" id="), std::string::npos);
  EXPECT_THAT(picture.caption, HasSubstr("15 bins (Guo et al., 2017): 10.00%"));
}

}  // namespace
}  // namespace digitron
