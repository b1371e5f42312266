#include "host/report/answers.h"

#include <gmock/gmock.h>

#include "tests/report_testing.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A run of which the last epoch has this test accuracy, on 10,000 images.
RunRecord tested(const std::string& model, int seed, double accuracy) {
  RunRecord run;
  run.has_description = true;
  run.description = testing::run_json(model, seed, 2);
  run.description["data"]["test_images"] = 10000;
  run.model_name = find_model(model).name;
  run.plan = make_plan(find_model(model), 64);
  for (const int epoch : {1, 2}) {
    EpochRecord& record = run.epochs.emplace_back();
    record.epoch = epoch;
    record.test_loss = 0.25 / epoch;
    record.test_accuracy = epoch == 2 ? accuracy : 0.9;
  }
  return run;
}

std::vector<RunRecord> seeds_of(const std::string& model, const std::vector<double>& accuracies) {
  std::vector<RunRecord> runs;
  for (const double accuracy : accuracies) {
    runs.push_back(tested(model, static_cast<int>(runs.size()) + 1, accuracy));
  }
  return runs;
}

std::vector<RunRecord> operator+(std::vector<RunRecord> a, const std::vector<RunRecord>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string accuracy_answer_of(const std::vector<RunRecord>& runs) {
  return accuracy_answer(roles_of(group_runs(runs)));
}
std::string regularisation_answer_of(const std::vector<RunRecord>& runs) {
  return regularisation_answer(roles_of(group_runs(runs)));
}

TEST(AnswersTest, SeedsDecideWhetherLenetIsBetter) {
  const std::vector<RunRecord> lenet = seeds_of("lenet5", {0.9901, 0.9902, 0.9903});
  EXPECT_EQ(
      accuracy_answer_of(lenet + seeds_of("custom-mlp", {0.9763, 0.9764, 0.9765})),
      "LeNet-5 is better than Custom MLP: it makes 98 errors in 10,000 where Custom MLP makes "
      "236, with 19,374 parameters fewer (means of 3 seeds; p < 0.0001); LeNet-5's accuracy "
      "is 99.02%, 0.03 points less than the 99.05% of LeCun et al. (1998).");
  EXPECT_THAT(accuracy_answer_of(lenet + seeds_of("custom-mlp", {0.9951, 0.9952, 0.9953})),
              StartsWith("LeNet-5 is worse than Custom MLP: it makes 98 errors"));
  EXPECT_THAT(accuracy_answer_of(lenet + seeds_of("custom-mlp", {0.98, 0.9904, 0.99})),
              StartsWith("LeNet-5 and Custom MLP cannot be told apart: "));
}

TEST(AnswersTest, WhatIsMissingIsNotClaimed) {
  const std::vector<RunRecord> lenet = seeds_of("lenet5", {0.99});
  const std::string one = accuracy_answer_of(lenet + seeds_of("custom-mlp", {0.98}));
  EXPECT_THAT(one, StartsWith("LeNet-5 makes 100 errors in 10,000 where Custom MLP makes 200"));
  EXPECT_THAT(one, HasSubstr("(one seed each: no spread, no test)"));
  EXPECT_THAT(accuracy_answer_of(lenet), HasSubstr("there is no tested run of the MLP"));
  EXPECT_THAT(accuracy_answer_of(seeds_of("custom-mlp", {0.98})),
              HasSubstr("No run here is of LeNet-5"));
  EXPECT_THAT(regularisation_answer_of(lenet), HasSubstr("No run here is of LeNet-5 with other"));

  std::vector<RunRecord> strange = lenet;
  strange[0].description["data"]["is_mnist"] = false;
  EXPECT_THAT(accuracy_answer_of(strange), Not(HasSubstr("LeCun")));

  std::vector<RunRecord> other = seeds_of("custom-mlp", {0.97, 0.98});
  for (RunRecord& run : other) run.description["data"]["sha256"] = "def";
  EXPECT_THAT(accuracy_answer_of(seeds_of("lenet5", {0.98, 0.99}) + other),
              HasSubstr("on other data: not to be compared"));

  std::vector<RunRecord> untested = lenet;
  untested[0].epochs.clear();
  EXPECT_EQ(accuracy_answer_of(untested), "LeNet-5 has no test figures.");
  EXPECT_EQ(curves_answer(group_runs(untested)), "LeNet-5 has no epoch on record.");
}

TEST(AnswersTest, RegularisationIsNamedAndTested) {
  const std::vector<RunRecord> lenet = seeds_of("lenet5", {0.9901, 0.9902, 0.9903});
  EXPECT_EQ(
      regularisation_answer_of(lenet + seeds_of("lenet5-improved", {0.9911, 0.9912, 0.9913})),
      "Yes: LeNet-5 Improved (batch normalisation after each convolution and dropout 0.5 "
      "after each hidden fully connected layer) makes 88 errors in 10,000 where LeNet-5 makes "
      "98 (means of 3 seeds; p = 0.00026).");
  EXPECT_THAT(regularisation_answer_of(lenet + seeds_of("lenet5-improved", {0.99, 0.992, 0.9901})),
              StartsWith("Not shown: "));
  EXPECT_THAT(regularisation_answer_of(lenet + seeds_of("lenet5-improved", {0.98, 0.9801, 0.9802})),
              StartsWith("No: "));
  EXPECT_THAT(regularisation_answer_of(lenet + seeds_of("lenet5-improved", {0.98})),
              StartsWith("Not tested: "));
}

TEST(AnswersTest, HolmCountsAllModels) {
  const std::vector<RunRecord> lenet = seeds_of("lenet5", {0.9901, 0.9902, 0.9903});
  const std::vector<RunRecord> improved = seeds_of("lenet5-improved", {0.9905, 0.9908, 0.9903});
  const std::vector<RunRecord> two = lenet + improved;
  const std::vector<RunRecord> three = two + seeds_of("custom-mlp", {0.9903, 0.9899, 0.99});
  const std::vector<RunGroup> alone = group_runs(two);
  const std::vector<RunGroup> together = group_runs(three);
  EXPECT_DOUBLE_EQ(*roles_of(together).of(together[1]).p, 2 * *roles_of(alone).of(alone[1]).p);
}

TEST(AnswersTest, ParametersAndCurves) {
  const std::vector<RunRecord> runs = seeds_of("lenet5", {0.99}) + seeds_of("custom-mlp", {0.98});
  const std::vector<RunGroup> groups = group_runs(runs);
  EXPECT_EQ(parameters_answer(groups), "LeNet-5 has 61,706 parameters and Custom MLP 81,080.");
  EXPECT_THAT(curves_answer(groups),
              StartsWith("LeNet-5's test loss falls from 0.2500 to 0.1250 in 2 epochs, and its "
                         "accuracy rises from 90.00% to 99.00%; Custom MLP's"));
}

}  // namespace
}  // namespace digitron
