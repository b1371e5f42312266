#include "host/bench/profile.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"

namespace digitron {
namespace {

using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;

const Plan kPlan = make_plan(parse_model("fc 10"), 8);

TEST(ProfileTest, TrainsWholeBatchesOnly) {
  FakeEngine engine(kPlan);
  engine.measured = {"clocks", {{"fc1", "forward", 30, 40}}};
  EXPECT_EQ(measure_phases(engine, 100, 500).phases.size(), 1u);
  EXPECT_EQ(engine.rates.size(), 12u);
  measure_phases(engine, 100, 3);
  EXPECT_EQ(engine.rates.size(), 3u);
}

TEST(ProfileTest, ShowsEachPhasesShare) {
  EXPECT_EQ(profile_table({"clocks", {{"gather", "", 1500, 1700}, {"fc1", "forward", 500, 620}}}),
            "phase   direction  clocks  slowest   share\n"
            "gather              1,500    1,700  75.0 %\n"
            "fc1     forward       500      620  25.0 %\n"
            "sum                 2,000    2,320\n");
}

TEST(ProfileTest, AnEngineWithoutPhasesSaysWhatToTake) {
  FakeEngine engine(kPlan);
  const std::string error = error_of<InputError>([&] { measure_phases(engine, 100, 1); });
  EXPECT_THAT(error, HasSubstr("fake times no phases of a step; take --device cuda --step fused"));
}

TEST(ProfileTest, BadSettingsNameTheOption) {
  FakeEngine engine(kPlan);
  EXPECT_THAT(error_of<InputError>([&] { measure_phases(engine, 100, 0); }),
              HasSubstr("--steps is 0; give 1 or more"));
}

}  // namespace
}  // namespace digitron
