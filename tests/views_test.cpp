#include "host/core/views.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/core/devices.h"
#include "host/reference/reference_engine.h"
#include "tests/engine_testing.h"
#include "tests/fake_engine.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using testing::FakeEngine;
using testing::Random;

std::unique_ptr<FakeEngine> fake(const std::string& model) {
  return std::make_unique<FakeEngine>(make_plan(parse_model(model), 4));
}

std::shared_ptr<const Dataset> random_images(int count) {
  Random random(1);
  auto data = std::make_shared<Dataset>();
  for (int i = 0; i < count * 784; ++i)
    data->images.push_back(static_cast<uint8_t>(random.between(0, 255)));
  for (int i = 0; i < count; ++i) data->labels.push_back(static_cast<uint8_t>(i % 10));
  return data;
}

TEST(ViewOf, MovesEveryPlaneAndLetsBlackIn) {
  const std::vector<uint8_t> images{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16};
  const Shape image{2, 2, 3};
  EXPECT_EQ(view_of(images, image, {0, 0}), images);
  EXPECT_THAT(view_of(images, image, {1, 0}), ElementsAre(0, 1, 2, 0, 4, 5, 0, 11, 12, 0, 14, 15));
  EXPECT_THAT(view_of(images, image, {-1, 0}), ElementsAre(2, 3, 0, 5, 6, 0, 12, 13, 0, 15, 16, 0));
  EXPECT_THAT(view_of(images, image, {0, 1}), ElementsAre(0, 0, 0, 1, 2, 3, 0, 0, 0, 11, 12, 13));
  EXPECT_THAT(view_of(images, image, {0, -1}), ElementsAre(4, 5, 6, 0, 0, 0, 14, 15, 16, 0, 0, 0));
  EXPECT_THAT(view_of(images, image, {-1, 1}), ElementsAre(0, 0, 0, 2, 3, 0, 0, 0, 0, 12, 13, 0));
}

TEST(ViewOf, ImagesOfAPixel) {
  EXPECT_THAT(view_of(std::vector<uint8_t>{7, 8}, {1, 1, 1}, {1, 0}), ElementsAre(0, 0));
  EXPECT_THAT(view_of(std::vector<uint8_t>{7, 8}, {1, 1, 1}, {0, -1}), ElementsAre(0, 0));
}

TEST(WithViews, AModelOfOneKeepsItsEngine) {
  std::unique_ptr<Engine> engine = fake("fc 10");
  const Engine* const inner = engine.get();
  EXPECT_EQ(with_views(std::move(engine)).get(), inner);
}

// The logits are the means of those of each view, on every engine.
TEST(WithViews, PredictsTheMeanOfTheViews) {
  const std::string layers = "conv 4x5, relu, maxpool 2, fc 10";
  const Plan one = make_plan(parse_model(layers), 4);
  const Plan nine = make_plan(parse_model("views 9, " + layers), 4);
  const auto data = random_images(5);
  ReferenceEngine<double> reference(one);
  const std::unique_ptr<Engine> engine = make_cpu_engine(nine, 1);
  for (Engine* each : {static_cast<Engine*>(&reference), engine.get()}) {
    each->set_state(State::kParameters, initial_parameters(one, 1));
  }
  std::vector<double> expected(50);
  for (const View view : kViews) {
    const std::vector<float> logits =
        reference.predict(view_of(data->images, one.model.task.image, view));
    for (size_t i = 0; i < logits.size(); ++i) expected[i] += double{logits[i]} / 9;
  }
  const std::vector<float> logits = engine->predict(data->images);
  ASSERT_EQ(logits.size(), expected.size());
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 1e-5) << i;
}

// Also where there are more images than are moved at once.
TEST(WithViews, EvaluatesWhatItPredicts) {
  const Plan plan = make_plan(parse_model("views 3, fc 10"), 4);
  const std::unique_ptr<Engine> engine = make_cpu_engine(plan, 1);
  const auto train = random_images(7);
  const auto held_out = random_images(1001);
  engine->load(train, held_out);
  engine->set_state(State::kParameters, initial_parameters(plan, 1));
  for (const auto& [split, data] :
       {std::pair(Split::kTrain, train), std::pair(Split::kHeldOut, held_out)}) {
    const std::vector<float> logits = engine->predict(data->images);
    Metrics expected;
    for (size_t i = 0; i < data->labels.size(); ++i) {
      const float* row = logits.data() + 10 * i;
      double sum = 0;
      for (int c = 0; c < 10; ++c) sum += std::exp(double{row[c]});
      const bool right = std::max_element(row, row + 10) - row == data->labels[i];
      expected += {std::log(sum) - double{row[data->labels[i]]}, right ? 1 : 0, 1};
    }
    const Metrics metrics = engine->evaluate(split);
    EXPECT_EQ(metrics.count, data->count());
    EXPECT_EQ(metrics.correct, expected.correct);
    EXPECT_NEAR(metrics.loss(), expected.loss(), 1e-9);
  }
}

TEST(WithViews, TrainsAsTheEngineItself) {
  const auto trained = [](const std::string& model) {
    const std::unique_ptr<Engine> engine = make_cpu_engine(make_plan(parse_model(model), 4), 1);
    engine->load(random_images(8), random_images(2));
    engine->set_state(State::kParameters, initial_parameters(engine->plan(), 1));
    engine->configure({});
    engine->train(1, 0, std::vector<StepRates>(2, {.lr = 0.01f}));
    engine->evaluate(Split::kHeldOut);
    return engine->state(State::kParameters);
  };
  EXPECT_EQ(trained("views 5, fc 20, relu, fc 10"), trained("fc 20, relu, fc 10"));
}

// The engine inside times no evaluation of several views.
TEST(WithViews, TheHostsClockTimesEvaluations) {
  std::unique_ptr<FakeEngine> inner = fake("views 2, fc 10");
  inner->seconds = 0.5;
  inner->logits.resize(20);
  const std::unique_ptr<Engine> engine = with_views(std::move(inner));
  engine->load(nullptr, random_images(2));
  engine->train(1, 0, std::vector<StepRates>(1));
  EXPECT_THAT(engine->timing().seconds, ElementsAre(0.5));
  engine->evaluate(Split::kHeldOut);
  EXPECT_TRUE(engine->timing().seconds.empty());
  engine->train(1, 1, std::vector<StepRates>(1));
  EXPECT_THAT(engine->timing().seconds, ElementsAre(0.5));
}

// A network that has diverged shows.
TEST(WithViews, NumbersThatAreNoneStay) {
  std::unique_ptr<FakeEngine> inner = fake("views 2, fc 10");
  inner->logits = std::vector<float>(10, NAN);
  const std::unique_ptr<Engine> engine = with_views(std::move(inner));
  engine->load(nullptr, random_images(1));
  EXPECT_TRUE(std::isnan(engine->evaluate(Split::kHeldOut).loss()));
}

}  // namespace
}  // namespace digitron
