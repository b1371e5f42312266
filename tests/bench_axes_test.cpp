#include "host/bench/axes.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

// "lenet5 64 2"
std::vector<std::string> texts(const std::vector<RowRequest>& rows) {
  std::vector<std::string> all;
  for (const RowRequest& row : rows) {
    all.push_back(row.model.id + ' ' + to_text(row.work) + ' ' +
                  std::to_string(row.settings.batch) + ' ' + std::to_string(row.device.threads) +
                  (row.device.cuda.graph ? " graph " : " eager ") +
                  step_word(row.device.cuda.step));
  }
  return all;
}

TEST(AxesTest, ARowForEveryChoice) {
  BenchRequest request{.models = {"lenet5", "custom-mlp"}, .batches = {64, 256}, .threads = {1, 2}};
  request.modes = {"graph", "eager"};
  request.device.device = "cpu";
  EXPECT_THAT(texts(rows_of(request)),
              ElementsAre("lenet5 train 64 1 graph auto", "lenet5 train 64 2 graph auto",
                          "lenet5 train 256 1 graph auto", "lenet5 train 256 2 graph auto",
                          "custom-mlp train 64 1 graph auto", "custom-mlp train 64 2 graph auto",
                          "custom-mlp train 256 1 graph auto", "custom-mlp train 256 2 graph auto"))
      << "a CPU has no modes";
}

TEST(AxesTest, AGpuHasModesAndStepsButNoThreads) {
  BenchRequest request{
      .threads = {1, 2}, .modes = {"graph", "eager"}, .steps = {"layers", "fused"}};
  request.device.device = "cuda:1";
  EXPECT_THAT(texts(rows_of(request)),
              ElementsAre("lenet5 train 64 0 graph layers", "lenet5 train 64 0 graph fused",
                          "lenet5 train 64 0 eager layers", "lenet5 train 64 0 eager fused"));
}

TEST(AxesTest, AnEvaluationHasOneRowForAllBatches) {
  BenchRequest request{.works = {"evaluate", "predict"}, .batches = {8, 16}, .threads = {1}};
  request.device.device = "cpu";
  EXPECT_THAT(texts(rows_of(request)),
              ElementsAre("lenet5 evaluate 8 1 graph auto", "lenet5 predict 8 1 graph auto",
                          "lenet5 predict 16 1 graph auto"));
}

TEST(AxesTest, SettingsAreThoseOfTheModelAndThenTheUsers) {
  BenchRequest request{.models = {"lenet5-best"}, .threads = {1}};
  request.device.device = "cpu";
  request.settings["weight_decay"] = 0.25;
  const TrainSettings settings = rows_of(request).at(0).settings;
  EXPECT_EQ(settings.weight_decay, 0.25);
  EXPECT_EQ(settings.optimizer, OptimizerKind::kNesterov);
}

TEST(AxesTest, NonsenseIsNamed) {
  const auto error = [](BenchRequest request) {
    request.device.device = "cpu";
    return error_of<InputError>([&] { rows_of(request); });
  };
  EXPECT_THAT(error({.models = {"lenet5", "mlp", "LeNet-5"}}),
              HasSubstr("--model names lenet5 twice; leave one out"));
  EXPECT_THAT(error({.threads = {kAutoThreads, 2, kAutoThreads}}),
              HasSubstr("--threads names auto twice"));
  EXPECT_THAT(error({.batches = {8, 8}}), HasSubstr("--batch names 8 twice"));
  EXPECT_THAT(error({.batches = {8, 0}}), HasSubstr("--batch is 0; give 1 or more"));
  EXPECT_THAT(error({.modes = {"slow"}}), HasSubstr("--mode is 'slow'; give graph, eager or both"));
  EXPECT_THAT(error({.steps = {"big"}}), HasSubstr("--step is 'big'"));
  EXPECT_THAT(error({.works = {"play"}}), HasSubstr("--work is 'play'"));
  EXPECT_THAT(error({.models = {"conv 3x99, fc 10"}}), HasSubstr("99"));
  EXPECT_THAT(error({.dropout = 0.5}), HasSubstr("dropout"));
  EXPECT_THAT(error({.repeat = 0}), HasSubstr("--repeat is 0; give 1 to 1000"));
  EXPECT_THAT(error({.works = {"predict"}, .breakdown = true}),
              HasSubstr("--breakdown looks at training steps; leave --work out"));
  EXPECT_THAT(error({.capture = "5:9"}),
              HasSubstr("--profile-steps captures one row in one process, and this makes 1 rows "
                        "with --repeat 5; give one value of each axis, and --repeat 1"));
  EXPECT_THAT(error({.capture = "9:5", .repeat = 1}), HasSubstr("--profile-steps"));
}

}  // namespace
}  // namespace digitron
