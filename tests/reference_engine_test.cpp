#include "host/reference/reference_engine.h"

#include <gtest/gtest.h>

#include "host/core/error.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"
#include "tests/models.h"

namespace digitron {
namespace {

using testing::is_near;
using testing::Random;
using testing::random_dataset;
using testing::train_steps;

// The whole network's gradient against central differences of its loss, at some parameters of each
// tensor.
void expect_gradient_of_loss(const Model& model, float label_smoothing = 0) {
  constexpr int kSamples = 3;
  constexpr double kStep = 1e-6;
  const Plan plan = make_plan(model, kSamples);
  Random random(41);
  const std::vector<float> parameters = testing::varied_parameters(plan, 5);
  const Dataset data = testing::smooth_samples(plan, parameters, kSamples, random);
  ReferenceEngine<double> engine(plan);
  engine.set_state(State::kParameters, parameters);
  engine.configure({.label_smoothing = label_smoothing});
  engine.compute_gradients(data.images, data.labels);
  const std::vector<double> gradients = engine.exact_gradients();
  for (const Parameter& parameter : plan.parameters) {
    std::vector<double> expected, actual;
    for (int i = 0; i < 8; ++i) {
      const size_t index = parameter.offset + size_t(random.between(0, int(parameter.count) - 1));
      double& value = engine.exact_parameters()[index];
      const double at = value;
      value = at + kStep;
      const double above = engine.compute_gradients(data.images, data.labels).loss();
      value = at - kStep;
      const double below = engine.compute_gradients(data.images, data.labels).loss();
      value = at;
      expected.push_back((above - below) / (2 * kStep));
      actual.push_back(gradients[index]);
    }
    // What a batch normalisation after it takes out again has no gradient; differences are rough.
    const auto vanishes = [](double g) { return std::abs(g) <= 1e-9; };
    if (std::all_of(expected.begin(), expected.end(), vanishes)) {
      EXPECT_TRUE(std::all_of(actual.begin(), actual.end(), vanishes)) << parameter.name;
    } else {
      EXPECT_TRUE(is_near(actual, expected, 1e-5, 1e-9)) << parameter.name;
    }
  }
}

TEST(ReferenceEngine, GradientOfLeNet5) {
  expect_gradient_of_loss(lenet5());
}

TEST(ReferenceEngine, GradientOfCustomMlp) {
  expect_gradient_of_loss(custom_mlp());
}

TEST(ReferenceEngine, GradientWithLabelSmoothing) {
  expect_gradient_of_loss(lenet5(), 0.2f);
}

TEST(ReferenceEngine, GradientOfOverlappingAndStridedWindows) {
  expect_gradient_of_loss(
      parse_model("conv 3x4 stride 2 pad 1, relu, maxpool 3 stride 2, conv 4x3 pad 1, "
                  "maxpool 2 stride 3, relu, fc 10"));
}

TEST(ReferenceEngine, GradientOfAveragePooling) {
  expect_gradient_of_loss(
      parse_model("conv 3x5, relu, avgpool 2, conv 4x3 pad 1, avgpool 3 stride 2, relu, fc 10"));
}

TEST(ReferenceEngine, GradientWithBatchNormAndDropout) {
  expect_gradient_of_loss(parse_model(
      "bn, conv 3x5 stride 2, relu, bn, maxpool 2, dropout 0.25, conv 4x3, bn, bn, relu, "
      "fc 12, relu, dropout 0.5, fc 10, dropout 0.1"));
}

// Training uses the batch's statistics and masks; evaluation the running ones and none.
TEST(ReferenceEngine, TrainingAndEvaluationDiffer) {
  const Plan plan = make_plan(parse_model("bn, dropout 0.5, fc 10"), 20);
  ReferenceEngine<double> engine(plan);
  const auto data = random_dataset(60, 3);
  engine.load(data, data);
  engine.set_state(State::kParameters, initial_parameters(plan, 1));
  engine.configure({.optimizer = {.momentum = 0}, .shuffle = false});
  EXPECT_EQ(engine.state(State::kRunningStatistics), initial_buffers(plan));
  const std::span images = std::span(data->images).first(20 * kImagePixels);
  const std::span labels = std::span(data->labels).first(20);
  const Metrics training = engine.compute_gradients(images, labels);
  EXPECT_EQ(engine.state(State::kRunningStatistics), initial_buffers(plan))
      << "gradients leave statistics alone";

  const std::vector<Metrics> steps = train_steps(engine, 1, 0, 1, 0);
  EXPECT_EQ(steps[0].loss_sum, training.loss_sum) << "gradients are those of global step 0";
  double sum = 0, squares = 0;
  for (const uint8_t pixel : images) {
    const double value = (pixel / 255.0 - double(kPixelMean)) / double(kPixelDeviation);
    sum += value;
    squares += value * value;
  }
  const auto count = double(images.size());
  const double variance = (squares - sum * sum / count) / (count - 1);
  const std::vector<float> buffers = engine.state(State::kRunningStatistics);
  EXPECT_TRUE(std::abs(buffers[0] - 0.1 * sum / count) <= 1e-6);
  EXPECT_TRUE(std::abs(buffers[64] - (0.9 + 0.1 * variance)) <= 1e-6);

  // With the batch's own statistics as the running ones, and what was dropped back.
  const std::vector<float> logits = engine.predict(images);
  engine.set_state(State::kRunningStatistics, initial_buffers(plan));
  EXPECT_NE(engine.predict(images), logits);
  EXPECT_NE(train_steps(engine, 2, 0, 1, 0)[0].loss_sum, training.loss_sum)
      << "another step, other masks";
}

TEST(ReferenceEngine, BatchesWithoutVarianceAreRefused) {
  const Plan plan = make_plan(parse_model("conv 10x28, bn"), 3);
  ReferenceEngine<double> engine(plan);
  engine.load(random_dataset(7, 1), random_dataset(1, 2));
  EXPECT_THROW(train_steps(engine, 1, 0, 1), InputError);
  EXPECT_EQ(engine.evaluate(Split::kHeldOut).count, 1);
}

class ReferenceTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.load(random_dataset(25, 1), random_dataset(7, 2));
    engine_.set_state(State::kParameters, initial_parameters(plan_, 1));
  }

  const Plan plan_ = make_plan(parse_model("conv 2x5 stride 2, relu, maxpool 2, fc 10"), 10);
  ReferenceEngine<double> engine_{plan_};
};

TEST_F(ReferenceTraining, EveryImageOfAnEpochIsUsed) {
  const std::vector<Metrics> steps = train_steps(engine_, 1, 0, steps_per_epoch(25, 10));
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].count, 10);
  EXPECT_EQ(steps[1].count, 10);
  EXPECT_EQ(steps[2].count, 5);
}

// One step in file order is the gradient of the first images, through SGD.
TEST_F(ReferenceTraining, AStepFollowsTheGradient) {
  const auto data = random_dataset(25, 1);
  const std::vector<float> before = engine_.state(State::kParameters);
  const std::vector<float> gradients = testing::gradients(
      engine_, std::span(data->images).first(10 * kImagePixels), std::span(data->labels).first(10));
  EXPECT_EQ(engine_.state(State::kParameters), before);
  engine_.load(data, data);
  engine_.configure({.optimizer = {.momentum = 0.5f, .weight_decay = 0.01f}, .shuffle = false});
  const std::vector<float> start(plan_.parameter_floats, 0.25f);
  engine_.set_state(State::kMomentum, start);
  train_steps(engine_, 1, 0, 1, 0.1f);
  std::vector<double> momentum, parameters;
  for (size_t i = 0; i < before.size(); ++i) {
    momentum.push_back(0.5 * start[i] + gradients[i] + 0.01 * before[i]);
    parameters.push_back(before[i] - 0.1 * momentum[i]);
  }
  EXPECT_TRUE(is_near(engine_.state(State::kMomentum), momentum, 1e-6));
  EXPECT_TRUE(is_near(engine_.state(State::kParameters), parameters, 1e-6));
}

TEST_F(ReferenceTraining, EvaluateCountsEverySample) {
  const Metrics train = engine_.evaluate(Split::kTrain);
  const Metrics test = engine_.evaluate(Split::kHeldOut);
  EXPECT_EQ(train.count, 25);
  EXPECT_EQ(test.count, 7);
  const auto data = random_dataset(7, 2);
  const Metrics direct = engine_.compute_gradients(data->images, data->labels);
  EXPECT_TRUE(std::abs(test.loss_sum - direct.loss_sum) <= 1e-12 * direct.loss_sum);
  EXPECT_EQ(test.correct, direct.correct);
}

}  // namespace
}  // namespace digitron
