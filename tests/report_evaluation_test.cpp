#include "host/report/evaluation.h"

#include <gmock/gmock.h>

#include "host/core/devices.h"
#include "host/data/data.h"
#include "host/data/png_image.h"
#include "tests/fake_engine.h"
#include "tests/idx_files.h"
#include "tests/mnist_form.h"
#include "tests/report_testing.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryDirectory;

class ReportEvaluationTest : public ::testing::Test {
 protected:
  ReportEvaluationTest() {
    testing::write_idx_directory(data(), testing::small_dataset(20), testing::small_dataset(30, 5));
    testing::write_run(directory_ / "run", "fc 10", 1, {0.5});
    run_ = read_run(directory_ / "run");
    run_.description["data"] = {
        {"source", data()}, {"is_mnist", false}, {"sha256", load_data(data()).sha256}};
  }

  std::string data() const { return directory_ / "data"; }
  std::string reason(const std::string& source = "") const {
    const auto result = DataSources(source).test_set(run_);
    const auto* text = std::get_if<std::string>(&result);
    return text == nullptr ? "" : *text;
  }

  TemporaryDirectory directory_;
  RunRecord run_;
};

TEST_F(ReportEvaluationTest, FindsTheRunsData) {
  EXPECT_EQ(reason(), "");
  run_.description["data"]["source"] = "/nowhere";
  EXPECT_EQ(reason(data()), "") << "--data wins";
}

TEST_F(ReportEvaluationTest, SaysWhyThereIsNoData) {
  auto& description = run_.description["data"];
  EXPECT_THAT(reason(directory_ / "none"), HasSubstr("cannot be read (no data directory"));
  description["is_mnist"] = true;
  EXPECT_THAT(reason(), HasSubstr("is not MNIST's"));
  description["sha256"] = "0123456789abcdef";
  EXPECT_THAT(reason(), HasSubstr("the run's with 0123456789ab. Give the right one with --data"));
  description["source"] = nullptr;
  EXPECT_THAT(reason(), HasSubstr("does not name its data set"));
}

TEST_F(ReportEvaluationTest, WrongImagesMostConfidentFirst) {
  const Data loaded = load_data(data());
  const Evaluation evaluation = evaluate_run(run_, loaded.test);
  const auto engine = make_cpu_engine(*run_.plan, 1);
  engine->set_state(State::kParameters, run_.state.parameters);
  engine->load(loaded.train, loaded.test);
  EXPECT_TRUE(std::abs(evaluation.metrics.accuracy() -
                       engine->evaluate(Split::kHeldOut).accuracy()) <= 1e-12);
  ASSERT_FALSE(evaluation.wrong.empty());
  int64_t off_diagonal = 0, all = 0;
  for (size_t i = 0; i < kClasses; ++i) {
    for (size_t j = 0; j < kClasses; ++j) {
      all += evaluation.confusion[i][j];
      off_diagonal += i == j ? 0 : evaluation.confusion[i][j];
    }
  }
  EXPECT_EQ(all, 30);
  EXPECT_EQ(off_diagonal, static_cast<int64_t>(evaluation.wrong.size()));
  double before = 1;
  for (const WrongImage& wrong : evaluation.wrong) {
    EXPECT_TRUE(wrong.confidence <= before && wrong.confidence >= 0.1);
    EXPECT_EQ(wrong.truth, loaded.test->labels[wrong.index]);
    EXPECT_NE(wrong.truth, wrong.guess);
    before = wrong.confidence;
  }
}

TEST(Evaluate, OnePassForwardAndNoTrainingSet) {
  testing::FakeEngine engine(make_plan(find_model("fc 10"), 64));
  engine.logits.assign(3 * kClasses, 0.0f);
  engine.logits[0 * kClasses + 0] = 1;    // labels are 0, 1, 2
  engine.logits[1 * kClasses + 7] = 200;  // so sure that a float's exponential has no room for it
  const auto test = std::make_shared<const Dataset>(testing::small_dataset(3));
  const Evaluation evaluation = evaluate(engine, test);
  EXPECT_EQ(engine.predictions, 1);
  EXPECT_EQ(engine.evaluations, 0);
  EXPECT_EQ(evaluation.metrics.count, 3);
  EXPECT_EQ(evaluation.metrics.correct, 1);
  const double loss = std::log(std::exp(1.0) + 9) - 1 + 200 + std::log(10.0);
  EXPECT_TRUE(std::abs(evaluation.metrics.loss_sum - loss) <= 1e-12 * loss);
  EXPECT_EQ(evaluation.confusion[1][7], 1);
  EXPECT_EQ(evaluation.confusion[2][0], 1);
  ASSERT_EQ(evaluation.wrong.size(), 2u);
  EXPECT_EQ(evaluation.wrong[0].index, 1u);
  EXPECT_EQ(evaluation.calibration[14].count, 1) << "the one that is sure, and wrong";
  EXPECT_EQ(evaluation.calibration[14].correct, 0);
  EXPECT_EQ(evaluation.calibration[1].count, 1) << "0.1: nothing preferred";
}

TEST_F(ReportEvaluationTest, TheLossIsTheEngines) {
  const Data loaded = load_data(data());
  const auto engine = make_cpu_engine(*run_.plan, 1);
  engine->set_state(State::kParameters, run_.state.parameters);
  engine->load(loaded.train, loaded.test);
  const double loss = engine->evaluate(Split::kHeldOut).loss();
  EXPECT_TRUE(std::abs(evaluate(*engine, loaded.test).metrics.loss() - loss) <= 1e-5 * loss);
}

TEST(ClassScoresTest, ByHand) {
  Confusion counts(10, std::vector<int64_t>(10));
  counts[4][4] = 6;
  counts[4][9] = 2;
  counts[9][9] = 3;
  counts[7][9] = 2;
  counts[7][1] = 1;
  const ClassScores nine = class_scores(counts, 9);
  EXPECT_EQ(nine.recall, 1);
  EXPECT_EQ(nine.precision, 3.0 / 7);
  EXPECT_EQ(nine.f1, 6.0 / 10);
  EXPECT_EQ(class_scores(counts, 4).f1, 12.0 / 14);
  EXPECT_EQ(class_scores(counts, 7).precision, std::nullopt) << "nothing was taken for it";
  EXPECT_EQ(class_scores(counts, 7).f1, 0);
  EXPECT_EQ(class_scores(counts, 0).f1, std::nullopt) << "there is none";
  EXPECT_TRUE(std::abs(macro_f1(counts) - (0.6 + 12.0 / 14) / 4) < 1e-12) << "4, 9, 7 and 1";

  const std::vector<Mistake> mistakes = frequent_mistakes(counts, 2);
  ASSERT_EQ(mistakes.size(), 2u);
  EXPECT_TRUE(mistakes[0].truth == 4 && mistakes[0].guess == 9 && mistakes[0].count == 2);
  EXPECT_EQ(mistakes[1].truth, 7u) << "as often, and a larger digit";
  EXPECT_EQ(frequent_mistakes(Confusion{}, 2).size(), 0u);
  EXPECT_EQ(macro_f1(Confusion{}), 0);
}

TEST_F(ReportEvaluationTest, LinearLayerAsImages) {
  const WeightPictures weights = first_layer_pictures(run_, 4);
  EXPECT_EQ(weights.layer, "fc1");
  EXPECT_FALSE(weights.is_convolution);
  EXPECT_EQ(weights.count, 10u);
  ASSERT_EQ(weights.pictures.size(), 4u);
  EXPECT_EQ(weights.pictures[0].width, 28);
  EXPECT_EQ(weights.pictures[0].height, 28);
}

TEST_F(ReportEvaluationTest, FiltersInColour) {
  testing::write_run(directory_ / "conv", "conv 2x3, relu, fc 10", 1, {0.5});
  RunRecord run = read_run(directory_ / "conv");
  // First filter: -1 at the start, 1 at the end, 0 between.
  std::fill_n(run.state.parameters.begin(), 18, 0.0f);
  run.state.parameters[0] = -1;
  run.state.parameters[8] = 1;
  const WeightPictures weights = first_layer_pictures(run, 64);
  EXPECT_TRUE(weights.is_convolution);
  ASSERT_EQ(weights.pictures.size(), 2u);
  const std::vector<uint8_t> white(27, 255);
  EXPECT_TRUE(weights.pictures[1].png == colour_png(3, 3, white));
  std::vector<uint8_t> first = white;
  const std::vector<uint8_t> blue{33, 102, 172}, red{178, 24, 43};
  std::copy(blue.begin(), blue.end(), first.begin());
  std::copy(red.begin(), red.end(), first.end() - 3);
  EXPECT_TRUE(weights.pictures[0].png == colour_png(3, 3, first));
}

}  // namespace
}  // namespace digitron
