#include "host/report/run_group.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/report_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;

RunRecord record(const std::string& model, int seed, const std::vector<double>& accuracies) {
  RunRecord run;
  run.directory = "runs/" + std::to_string(seed);
  run.has_description = true;
  run.description = testing::run_json(model, seed, 3);
  run.model_name = find_model(model).name;
  for (const double accuracy : accuracies) {
    EpochRecord& epoch = run.epochs.emplace_back();
    epoch.epoch = static_cast<int>(run.epochs.size());
    epoch.test_accuracy = accuracy;
    epoch.seconds = seed;
  }
  return run;
}

RunRecord with(RunRecord run, const char* part, const char* key, const ordered_json& value) {
  run.description[part][key] = value;
  return run;
}

std::vector<std::string> labels(const std::vector<RunRecord>& runs) {
  std::vector<std::string> result;
  for (const RunGroup& group : group_runs(runs)) result.push_back(group.label);
  return result;
}

TEST(StatisticsTest, OfSomeOfOneOfNone) {
  const auto s = statistics(std::vector<double>{3, 1, 8});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->count, 3u);
  EXPECT_EQ(s->mean, 4);
  EXPECT_EQ(s->lowest, 1);
  EXPECT_EQ(s->highest, 8);
  const auto one = statistics(std::vector<double>{2});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->mean, 2);
  EXPECT_EQ(one->lowest, one->highest);
  EXPECT_FALSE(statistics(std::vector<double>{}));
}

TEST(RunGroupTest, SeedsOfOneModelGoTogether) {
  const std::vector<RunRecord> runs{record("lenet5", 1, {0.5, 0.75}),
                                    record("custom-mlp", 1, {0.25}),
                                    record("lenet5", 2, {0.75, 0.25})};
  const std::vector<RunGroup> groups = group_runs(runs);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].label, "LeNet-5");
  EXPECT_EQ(groups[1].label, "Custom MLP");
  EXPECT_THAT(groups[0].runs, ElementsAre(&runs[0], &runs[2]));
  EXPECT_EQ(groups[0].seeds(), "1, 2");
  EXPECT_EQ(groups[0].last_epoch, 2);
  EXPECT_EQ(groups[0].epoch_count(), 2);
  const auto final_accuracy = groups[0].final_figure(&EpochRecord::test_accuracy);
  ASSERT_TRUE(final_accuracy);
  EXPECT_EQ(final_accuracy->mean, 0.5);
  EXPECT_EQ(final_accuracy->lowest, 0.25);
  EXPECT_EQ(final_accuracy->highest, 0.75);
  EXPECT_EQ(groups[0].best_test_accuracy()->mean, 0.75);
  EXPECT_EQ(groups[0].training_seconds()->mean, 3) << "2 epochs of 1 s and of 2 s";
  EXPECT_FALSE(groups[0].at_epoch(3, &EpochRecord::test_accuracy));
}

TEST(RunGroupTest, WhatDiffersIsInTheLabel) {
  const RunRecord run = record("lenet5", 1, {0.5});
  EXPECT_THAT(labels({run, with(run, "settings", "lr", 0.1)}),
              ElementsAre("LeNet-5 (lr 0.01)", "LeNet-5 (lr 0.1)"));
  EXPECT_THAT(labels({run, with(run, "settings", "label_smoothing", 0.2)}),
              ElementsAre("LeNet-5 (label smoothing not given)", "LeNet-5 (label smoothing 0.2)"));
  EXPECT_THAT(labels({run, with(run, "device", "description", "CUDA")}),
              ElementsAre("LeNet-5 (CPU)", "LeNet-5 (CUDA)"));
  EXPECT_THAT(labels({run, with(run, "data", "sha256", "def")}),
              ElementsAre("LeNet-5 (data abc)", "LeNet-5 (data def)"));
  EXPECT_THAT(
      labels({run, with(run, "settings", "seed", 9), with(run, "settings", "log_steps", true)}),
      ElementsAre("LeNet-5"));
}

TEST(RunGroupTest, UnknownRunsStayAlone) {
  std::vector<RunRecord> runs(2);
  for (RunRecord& run : runs) {
    run.description = ordered_json::object();
    run.model_name = "Unknown model";
    run.epochs.emplace_back().epoch = 1;
  }
  runs[0].directory = "a";
  runs[1].directory = "b";
  EXPECT_THAT(labels(runs), ElementsAre("Unknown model (a)", "Unknown model (b)"));
}

TEST(RunGroupTest, HollowRunsAreLeftOut) {
  std::vector<RunRecord> runs{record("lenet5", 1, {0.5}), RunRecord()};
  runs[1].description = ordered_json::object();
  EXPECT_TRUE(runs[1].is_hollow());
  EXPECT_THAT(labels(runs), ElementsAre("LeNet-5"));
}

TEST(RunGroupTest, RunsThatStoppedEarlyAreLeftOut) {
  const std::vector<RunRecord> runs{record("lenet5", 1, {0.5, 0.75}), record("lenet5", 2, {0.25}),
                                    record("lenet5", 3, {})};
  const std::vector<RunGroup> groups = group_runs(runs);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].runs.size(), 3u);
  EXPECT_THAT(groups[0].complete, ElementsAre(&runs[0]));
  EXPECT_EQ(groups[0].at_epoch(1, &EpochRecord::test_accuracy)->mean, 0.5);
}

TEST(RunGroupTest, NoTestFiguresAtAll) {
  RunRecord run = record("lenet5", 1, {});
  run.epochs.emplace_back().epoch = 1;
  run.epochs[0].train_loss = 0.5;
  const std::vector<RunRecord> runs{run};
  const std::vector<RunGroup> groups = group_runs(runs);
  EXPECT_FALSE(groups[0].last_epoch);
  EXPECT_FALSE(groups[0].final_figure(&EpochRecord::test_accuracy));
  EXPECT_EQ(groups[0].at_epoch(1, &EpochRecord::train_loss)->mean, 0.5);
}

}  // namespace
}  // namespace digitron
