#include "host/bench/bench.h"

#include <gmock/gmock.h>

#include "tests/bench_testing.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using testing::cpu_row;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

const Plan kPlan = make_plan(parse_model("fc 10"), 8);

TEST(TrainingCallsTest, TakesWholeBatchesOnly) {
  FakeEngine engine(kPlan);
  engine.seconds = 0.5;
  TrainingCalls calls(engine, 100, 0.02);
  for (int i = 0; i < 5; ++i) {
    const Call call = calls.take(5);
    EXPECT_TRUE(call.device_clock);
    EXPECT_EQ(call.steps, 5);
    EXPECT_THAT(call.seconds, ::testing::ElementsAre(0.1)) << "the mean of a call's steps";
  }
  ASSERT_EQ(engine.slices.size(), 5u);
  for (const FakeEngine::Slice& slice : engine.slices) {
    EXPECT_EQ(slice.last - slice.first, 5);
    EXPECT_LE(slice.last, 12) << "the ragged batch is another step";
  }
  EXPECT_EQ(engine.slices[2].epoch, 2);
  EXPECT_EQ(engine.slices[2].first, 0);
  for (const StepRates& rates : engine.rates) EXPECT_EQ(rates.lr, 0.02f);
}

TEST(TrainingCallsTest, TakesAnEpochWhereItHasFewerSteps) {
  FakeEngine engine(kPlan);
  TrainingCalls calls(engine, 100, 0.01);
  const Call call = calls.take(500);
  EXPECT_EQ(call.steps, 12);
  EXPECT_FALSE(call.device_clock);
  EXPECT_THAT(call.seconds, ::testing::ElementsAre(call.host_seconds / 12))
      << "without the engine's clock the host's is taken";
}

TEST(WorkTest, IsAWord) {
  for (const Work work : {Work::kTrain, Work::kEvaluate, Work::kPredict})
    EXPECT_EQ(work_kind(to_text(work)), work);
  EXPECT_THAT(error_of<InputError>([] { work_kind("sleep"); }),
              HasSubstr("--work is 'sleep'; give train, evaluate or predict"));
}

TEST(SummaryTest, EachRepeatCountsTheSame) {
  const Summary summary = summarize(cpu_row());  // medians 1,200 and 1,050 us
  EXPECT_DOUBLE_EQ(summary.p50, 1125e-6);
  EXPECT_DOUBLE_EQ(summary.p10, (1120e-6 + 1010e-6) / 2);
  EXPECT_DOUBLE_EQ(summary.max, 1300e-6);
  EXPECT_NEAR(*summary.between, 106.066 / 1125, 1e-6);
  EXPECT_DOUBLE_EQ(summary.images_per_second, 64 / 1125e-6);
  EXPECT_DOUBLE_EQ(summary.gflops_per_second, 0.15 / 1125e-6);
}

// The CPU engine on very little data.
class MeasureRowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_idx_directory(data_, testing::bars(50), testing::bars(20));
  }

  BenchRow measure(Work work, const DeviceRequest& device = {.device = "cpu", .threads = 2}) const {
    const TrainSettings settings{.batch = 16, .weight_decay = 0.1, .schedule = Schedule::kCosine};
    return measure_row({parse_model("fc 10"), settings, work, device}, data_,
                       {.warmup = 0, .min_time = 0, .max_noise = 0, .timeout = 0}, std::nullopt);
  }

  TemporaryDirectory directory_;
  std::string data_ = directory_ / "data";
};

TEST_F(MeasureRowTest, DescribesTheRowAndItsStart) {
  const BenchRow row = measure(Work::kTrain);
  EXPECT_EQ(row.model, "fc 10");
  EXPECT_EQ(row.images, 16);
  EXPECT_EQ(row.threads, 2);
  EXPECT_EQ(row.mode, std::nullopt);
  EXPECT_EQ(row.settings, (nlohmann::ordered_json{{"weight_decay", 0.1}}))
      << "the schedule changes no step";
  EXPECT_EQ(row.flops, 2 * 2 * 784 * 10 * 16) << "no input gradient";
  const Repeat& repeat = row.repeats.at(0);
  EXPECT_FALSE(repeat.samples.device_clock);
  EXPECT_GT(repeat.samples.seconds.size(), 0u);
  EXPECT_EQ(repeat.cold_start.process, std::nullopt) << "it was not started for this";
  EXPECT_EQ(repeat.cold_start.recording, std::nullopt);
  for (const double seconds : {repeat.cold_start.data, repeat.cold_start.module,
                               repeat.cold_start.first_step, repeat.samples.seconds[0]})
    EXPECT_GT(seconds, 0);
}

TEST_F(MeasureRowTest, AnEvaluationIsOfTheHeldOutSetAPredictionOfABatch) {
  const BenchRow evaluation = measure(Work::kEvaluate, {.device = "reference"});
  EXPECT_EQ(evaluation.images, 20);
  EXPECT_EQ(evaluation.flops, 2 * 784 * 10 * 20);
  EXPECT_EQ(evaluation.threads, 1);
  const BenchRow prediction = measure(Work::kPredict);
  EXPECT_EQ(prediction.images, 16);
  EXPECT_EQ(prediction.flops, 2 * 784 * 10 * 16);
}

}  // namespace
}  // namespace digitron
