// The parts of a report as blocks and as text.
#include <gmock/gmock.h>

#include "host/report/curve_part.h"
#include "host/report/markdown.h"
#include "host/report/run_part.h"
#include "tests/report_testing.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReportPartsTest : public ::testing::Test {
 protected:
  // The training accuracy is 0.75 in every epoch.
  void add(const std::string& model, int seed, const std::vector<double>& test_accuracies) {
    const auto path = directory_ / (model + std::to_string(seed));
    testing::write_run(path, model, seed, test_accuracies);
    runs_.push_back(read_run(path));
  }
  void set(const std::string& setting, const nlohmann::ordered_json& value) {
    runs_.back().description["settings"][setting] = value;
  }
  static std::string text_of(std::vector<DocumentBlock> blocks) {
    return to_markdown({"", "", std::move(blocks)}, "page");
  }
  std::string curves() const { return text_of(curve_blocks(group_runs(runs_))); }
  std::string made() const { return text_of(run_blocks(runs_)); }

  testing::TemporaryDirectory directory_;
  std::vector<RunRecord> runs_;
};

TEST_F(ReportPartsTest, CurvesSayWhatTheyCover) {
  add("lenet5", 1, {0.8, 0.9});
  EXPECT_THAT(curves(), HasSubstr("Loss of LeNet-5: one seed (1)."));
  add("lenet5", 4, {0.7, 0.9});
  EXPECT_THAT(curves(), HasSubstr("Accuracy of LeNet-5: mean of 2 seeds (1, 4), the band from the "
                                  "lowest to the highest."));
}

// Of runs that were stopped before their first test, say.
TEST_F(ReportPartsTest, WhatHasNoFigureHasNoPicture) {
  add("lenet5", 1, {0.9});
  add("custom-mlp", 1, {0.9});
  EXPECT_THAT(curves(), AllOf(HasSubstr("Loss of LeNet-5"), HasSubstr("Test loss of each model")));
  for (RunRecord& run : runs_) run.epochs[0].train_loss = run.epochs[0].test_loss = std::nullopt;
  EXPECT_THAT(curves(), AllOf(Not(HasSubstr("Loss of LeNet-5")), HasSubstr("Accuracy of LeNet-5"),
                              Not(HasSubstr("Test loss of each model"))));
  for (RunRecord& run : runs_) {
    run.epochs[0].train_accuracy = run.epochs[0].test_accuracy = std::nullopt;
  }
  EXPECT_THAT(curves(), Not(AnyOf(HasSubstr("Accuracy of"), HasSubstr("of each model"))));
}

TEST_F(ReportPartsTest, TestAboveTrainingIsExplainedWhereItIsSo) {
  add("lenet5", 1, {0.9});
  EXPECT_THAT(curves(), Not(HasSubstr("lies above training"))) << "nothing there explains it";
  set("shift", 2.0);
  EXPECT_THAT(curves(), AllOf(HasSubstr("Test lies above training here, by 15.00 points"),
                              HasSubstr("augmentation moves"), Not(HasSubstr("dropout"))));
  runs_.clear();
  add("lenet5-improved", 1, {0.7});
  EXPECT_THAT(curves(), Not(HasSubstr("lies above training"))) << "it does not";
  runs_.clear();
  add("lenet5-improved", 2, {0.9});
  EXPECT_THAT(curves(), HasSubstr("in training dropout switches units off;"));
  runs_.clear();
  add("views 5, fc 10", 2, {0.9});
  EXPECT_THAT(curves(), HasSubstr("in training every image is seen once; the held-out images meet "
                                  "the whole network in 5 places each, whose mean counts."));
}

// The same numbers stand at the axes of a model that reaches 0.6 and of one that reaches 0.9.
TEST_F(ReportPartsTest, ModelsShareTheirAxes) {
  add("lenet5", 1, {0.1, 0.6});
  add("custom-mlp", 1, {0.8, 0.9});
  std::vector<std::string> accuracies;
  for (const DocumentBlock& block : curve_blocks(group_runs(runs_))) {
    const auto* pictures = std::get_if<Pictures>(&block);
    if (pictures != nullptr) accuracies.push_back(pictures->pictures.back().svg);
  }
  ASSERT_EQ(accuracies.size(), 3u) << "of both, and of each";
  for (const char* tic : {">0</text>", ">20</text>", ">100</text>"}) {
    EXPECT_THAT(accuracies[1], HasSubstr(tic));
    EXPECT_THAT(accuracies[2], HasSubstr(tic));
  }
}

TEST_F(ReportPartsTest, RunsWithTheirCommands) {
  add("lenet5", 1, {0.9, 0.9});
  runs_.back().description["command"] = {"digitron", "train", "--model", "fc 10", "it's"};
  EXPECT_THAT(made(), HasSubstr(" | 1 | 3.00 s | CPU | digitron train --model 'fc 10' 'it'"));
  runs_.back().description["command"] = "no list";
  EXPECT_THAT(made(), HasSubstr("| CPU | \u2013 |"));
}

TEST_F(ReportPartsTest, OnlyChangedSettingsStandOpen) {
  add("lenet5", 1, std::vector<double>(10, 0.9));
  add("custom-mlp", 2, {0.9});
  set("label_smoothing", 0.05);
  set("unknown", 7);
  const std::string text = made();
  EXPECT_THAT(text, HasSubstr("- LeNet-5: none\n"));
  EXPECT_THAT(text, HasSubstr(": epochs 1, label smoothing 0.05\n"));
  const size_t folded = text.find("### What run.json says of each run");
  ASSERT_NE(folded, std::string::npos);
  EXPECT_LT(folded, text.find("settings: unknown: 7"));
}

}  // namespace
}  // namespace digitron
