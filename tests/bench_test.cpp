#include "host/bench/bench.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"

namespace digitron {
namespace {

using ::testing::Each;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;

const Plan kPlan = make_plan(parse_model("fc 10"), 8);

TEST(BenchTest, TakesWholeBatchesOnlyAndLeavesWarmupOut) {
  FakeEngine engine(kPlan);
  engine.seconds = 0.5;
  const BenchResult result = bench(engine, 100, {.steps = 5, .samples = 3, .warmup = 2});
  EXPECT_TRUE(result.device_clock);
  EXPECT_EQ(result.steps, 5);
  ASSERT_EQ(result.step_seconds.size(), 3u);
  EXPECT_THAT(result.step_seconds, Each(0.1));
  ASSERT_EQ(engine.slices.size(), 5u);
  for (const FakeEngine::Slice& slice : engine.slices) {
    EXPECT_EQ(slice.last - slice.first, 5);
    EXPECT_LE(slice.last, 12) << "the ragged batch is another step";
  }
  EXPECT_EQ(engine.slices[2].epoch, 2);
  EXPECT_EQ(engine.slices[2].first, 0);
}

TEST(BenchTest, AnEpochOfFewStepsIsASample) {
  FakeEngine engine(kPlan);
  engine.seconds = 1.2;
  const BenchResult result = bench(engine, 100, {.steps = 500, .samples = 1, .warmup = 0});
  EXPECT_EQ(result.steps, 12);
  EXPECT_DOUBLE_EQ(result.step_seconds.at(0), 0.1);
}

TEST(BenchTest, WithoutADeviceClockTheHostsIsTaken) {
  FakeEngine engine(kPlan);
  const BenchResult result = bench(engine, 100, {.steps = 5, .samples = 3, .warmup = 0});
  EXPECT_FALSE(result.device_clock);
  for (const double seconds : result.step_seconds) EXPECT_GT(seconds, 0);
}

TEST(BenchTest, PercentilesLieBetweenNeighbours) {
  const BenchResult result{true, 1, {4, 1, 3, 2, 5}};
  EXPECT_DOUBLE_EQ(result.percentile(0), 1);
  EXPECT_DOUBLE_EQ(result.percentile(50), 3);
  EXPECT_DOUBLE_EQ(result.percentile(90), 4.6);
  EXPECT_DOUBLE_EQ(result.percentile(100), 5);
}

TEST(BenchTest, ReportsTheMedianAndItsUnit) {
  FakeEngine engine(kPlan);
  engine.more = {{"algorithms", "conv1 forward", "GEMM"}};
  const BenchResult result{true, 7, {2e-6, 1e-6, 4e-6}};
  EXPECT_THAT(bench_line(result, engine), HasSubstr("| batch 8 | fake, fp32 | 2.0 us a step"));
  EXPECT_THAT(bench_line(result, engine), HasSubstr("4,000,000 images/s"));
  const nlohmann::json json = bench_json(result, engine);
  EXPECT_EQ(json["clock"], "device");
  EXPECT_EQ(json["details"]["algorithms"]["conv1 forward"], "GEMM");
  EXPECT_EQ(json["steps_per_sample"], 7);
  EXPECT_EQ(json["median_step_seconds"], 2e-6);
  EXPECT_EQ(json["step_seconds"], (nlohmann::json{2e-6, 1e-6, 4e-6}));
}

TEST(BenchTest, BadSettingsNameTheOption) {
  EXPECT_THAT(error_of<InputError>([] { check_settings(BenchSettings{.steps = 0}); }),
              HasSubstr("--steps is 0; give 1 or more"));
  EXPECT_THAT(error_of<InputError>([] { check_settings(BenchSettings{.samples = 0}); }),
              HasSubstr("--samples is 0; give 1 or more"));
  EXPECT_THAT(error_of<InputError>([] { check_settings(BenchSettings{.warmup = -1}); }),
              HasSubstr("--warmup is -1; give 0 or more"));
}

}  // namespace
}  // namespace digitron
