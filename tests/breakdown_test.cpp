#include "host/bench/breakdown.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"

namespace digitron {
namespace {

using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;

const Plan kTinyPlan = make_plan(parse_model("fc 10"), 8);

const Breakdown kInSeconds = {
    {"seconds", {{"gather", "", 2e-4, 2.5e-4}, {"fc1", "forward", 5e-5, 6e-5}}, 2.5e-4}, 2e-4};
const Breakdown kInClocks = {
    {"clocks", {{"gather", "", 1500, 1700}, {"fc1", "forward", 500, 620}}, 3e-5}, 2.5e-5};

TEST(BreakdownTest, TrainsWholeBatchesOnly) {
  FakeEngine engine(kTinyPlan);
  engine.seconds = 0.6;
  engine.measured = kInSeconds.profile;
  const Breakdown breakdown = measure_breakdown(engine, 100, 500);
  EXPECT_EQ(engine.rates.size(), 12u);
  EXPECT_EQ(breakdown.profile.phases.size(), 2u);
  EXPECT_DOUBLE_EQ(breakdown.plain_step_seconds, 0.05);
  measure_breakdown(engine, 100, 3);
  EXPECT_EQ(engine.rates.size(), 3u);
}

TEST(BreakdownTest, ShowsEachPhasesShareOfTheStep) {
  EXPECT_EQ(breakdown_table(kInSeconds),
            "layer       direction      us   share  slowest\n"
            "gather                 200.00  80.0 %   250.00\n"
            "fc1         forward     50.00  20.0 %    60.00\n"
            "sum                    250.00\n"
            "whole step             250.00\n"
            "sum / step              1.000\n"
            "A profiled step takes 250.00 us, an unprofiled one 200.00 us (+25.0 %)\n");
}

TEST(BreakdownTest, InClocksSharesAreOfTheSum) {
  EXPECT_EQ(breakdown_table(kInClocks),
            "layer   direction  clocks   share  slowest\n"
            "gather              1,500  75.0 %    1,700\n"
            "fc1     forward       500  25.0 %      620\n"
            "sum                 2,000\n"
            "A profiled step takes 30.00 us, an unprofiled one 25.00 us (+20.0 %)\n");
}

TEST(BreakdownTest, TheJsonHasARowAPhaseAndIsReadBack) {
  const nlohmann::ordered_json table = breakdown_json(kInSeconds);
  EXPECT_EQ(table["unit"], "seconds");
  EXPECT_EQ(table["phases"].size(), 2u);
  EXPECT_EQ(table["phases"][1]["layer"], "fc1");
  EXPECT_EQ(table["phases"][1]["direction"], "forward");
  EXPECT_EQ(table["phases"][1]["time"], 5e-5);
  EXPECT_EQ(table["phases"][1]["share"], 0.2);
  EXPECT_EQ(breakdown_json(kInClocks)["phases"][1]["time"], 500);
  for (const Breakdown& breakdown : {kInSeconds, kInClocks}) {
    const Breakdown back = breakdown_from_json(breakdown_json(breakdown));
    EXPECT_EQ(breakdown_table(back), breakdown_table(breakdown));
  }
}

TEST(BreakdownTest, AnEngineWithoutPhasesSaysWhatToTake) {
  FakeEngine engine(kTinyPlan);
  EXPECT_THAT(error_of<InputError>([&] { measure_breakdown(engine, 100, 1); }),
              HasSubstr("fake times no phases of a step; take another --device"));
  EXPECT_EQ(engine.steps, 0);
}

TEST(BreakdownTest, BadSettingsNameTheOption) {
  FakeEngine engine(kTinyPlan);
  EXPECT_THAT(error_of<InputError>([&] { measure_breakdown(engine, 100, 0); }),
              HasSubstr("--steps is 0; give 1 or more"));
}

}  // namespace
}  // namespace digitron
