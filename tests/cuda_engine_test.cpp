// CudaEngine against ReferenceEngine<double>: gradients, training, and what must be equal to the
// last bit. Compiled twice: with the engine's unchanged sources against the stand-in for CUDA, and
// with the program's engine for a GPU.
#include <gtest/gtest.h>

#include "host/reference/reference_engine.h"
#include "tests/cuda_testing.h"
#include "tests/engine_testing.h"
#include "tests/models.h"
#include "tests/random_model.h"
#include "tests/training_testing.h"

namespace digitron {
namespace {

using testing::cuda_engine;
using testing::is_near;
using testing::Random;
using testing::train_steps;

constexpr double kTolerance = 1e-5;
constexpr double kSlack = 5e-7;  // of the whole gradient: a bias's may be a sum that cancels

constexpr CudaOptions kEager{.graph = false};

class CudaEngineTest : public testing::CudaTest {};

void expect_gradients(const Model& model, int batch, const std::vector<int>& counts,
                      uint32_t seed) {
  const Plan plan = make_plan(model, batch);
  Random random(seed);
  const std::vector<float> parameters = testing::varied_parameters(plan, seed);
  ReferenceEngine<double> reference(plan);
  reference.set_state(State::kParameters, parameters);
  const std::unique_ptr<Engine> engine = cuda_engine(plan);
  engine->set_state(State::kParameters, parameters);
  for (const int count : counts) {
    const Dataset data = testing::smooth_samples(plan, parameters, count, random);
    reference.compute_gradients(data.images, data.labels);
    const std::vector<double>& exact = reference.exact_gradients();
    const std::vector<float> gradients = testing::gradients(*engine, data.images, data.labels);
    for (const Parameter& p : plan.parameters) {
      EXPECT_TRUE(is_near(std::span(gradients).subspan(p.offset, p.count),
                          std::span(exact).subspan(p.offset, p.count), kTolerance,
                          kSlack * testing::norm(exact)))
          << p.name << " of '" << to_text(model) << "', " << count << " samples";
    }
    EXPECT_EQ(engine->state(State::kRunningStatistics), initial_buffers(plan)) << to_text(model);
    EXPECT_TRUE(is_near(engine->predict(data.images), reference.predict(data.images), kTolerance))
        << to_text(model);
  }
}

struct Outcome {
  std::vector<Metrics> steps;
  Metrics test;
  std::vector<float> parameters;
  std::vector<float> momentum;
  std::vector<float> buffers;
};

// Small: threads of the stand-in's kernels are slow, and in CI sanitizers watch each of them.
constexpr int kBatch = 8;
constexpr int kTrainCount = 43;  // 5 steps of 8 and one of 3
constexpr int kTestCount = 19;
constexpr int kEpochs = 2;  // the first loads kernels, the second records and replays

Outcome train(Engine& engine, const std::vector<int>& slices = {}) {
  engine.load(testing::random_dataset(kTrainCount, 11), testing::random_dataset(kTestCount, 12));
  engine.set_state(State::kParameters, initial_parameters(engine.plan(), 13));
  engine.set_state(State::kMomentum, std::vector<float>(engine.plan().parameter_floats));
  engine.set_state(State::kRunningStatistics, initial_buffers(engine.plan()));
  engine.configure({.optimizer = {.momentum = 0.9f, .weight_decay = 0.001f}, .seed = 14});
  Outcome run;
  const int last = steps_per_epoch(kTrainCount, kBatch);
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    int begin = 0;
    for (size_t i = 0; begin < last; ++i) {
      const int end = i < slices.size() ? std::min(last, begin + slices[i]) : last;
      for (const Metrics& step : train_steps(engine, epoch, begin, end, 0.02f))
        run.steps.push_back(step);
      begin = end;
    }
    run.test = engine.evaluate(Split::kHeldOut);
  }
  run.parameters = engine.state(State::kParameters);
  run.momentum = engine.state(State::kMomentum);
  run.buffers = engine.state(State::kRunningStatistics);
  return run;
}

void expect_same_bits(const Outcome& a, const Outcome& b) {
  ASSERT_EQ(a.steps.size(), b.steps.size());
  for (size_t i = 0; i < a.steps.size(); ++i) {
    EXPECT_EQ(a.steps[i].loss_sum, b.steps[i].loss_sum) << "step " << i;
    EXPECT_EQ(a.steps[i].correct, b.steps[i].correct) << "step " << i;
  }
  EXPECT_EQ(a.test.loss_sum, b.test.loss_sum);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.momentum, b.momentum);
  EXPECT_EQ(a.buffers, b.buffers);
}

Outcome train(const Plan& plan, const CudaOptions& options, const std::vector<int>& slices = {}) {
  return train(*cuda_engine(plan, options), slices);
}

class CudaTraining : public testing::CudaTest, public ::testing::WithParamInterface<const char*> {
 protected:
  const Plan plan_ = make_plan(find_model(GetParam()), kBatch);
};

TEST_F(CudaEngineTest, GradientsOfCustomMlp) {
  expect_gradients(custom_mlp(), 50, {1, 16, 50}, 2);
}

TEST_F(CudaEngineTest, GradientsOfLeNet5) {
  expect_gradients(lenet5(), 33, {1, 16, 33}, 1);
}

TEST_F(CudaEngineTest, GradientsOfLeNet5Improved) {
  expect_gradients(lenet5_improved(), 17, {1, 17}, 3);
}

TEST_F(CudaEngineTest, GradientsOfRegularisedModels) {
  for (const char* text :
       {"bn, fc 10", "bn, relu, bn, maxpool 2, bn, bn, fc 10",
        "conv 3x5, bn, relu, maxpool 2, fc 10", "dropout 0.5, fc 10",
        "fc 20, dropout 0.25, relu, dropout 0.5, dropout 0, fc 10, dropout 0.1",
        "conv 3x5, maxpool 2, dropout 0.3, bn, fc 10", "conv 10x7 stride 7, bn, maxpool 4"}) {
    expect_gradients(parse_model(text), 19, {1, 19}, 5);
  }
}

TEST_F(CudaEngineTest, GradientsOfOtherTasks) {
  for (const char* text : {"conv 5x3, relu, maxpool 2, fc 12", "fc 20, relu, fc 12"}) {
    expect_gradients(parse_model(text, coloured_task()), 19, {1, 19}, 6);
  }
}

TEST_F(CudaEngineTest, BatchesWithoutVarianceAreRefused) {
  const auto engine = cuda_engine(make_plan(parse_model("conv 10x28, bn"), 3));
  engine->load(testing::random_dataset(7, 1), testing::random_dataset(4, 2));
  EXPECT_THROW(train_steps(*engine, 1, 0, 1), InputError);
  EXPECT_EQ(engine->evaluate(Split::kHeldOut).count, 4);
  const auto data = testing::random_dataset(1, 3);
  EXPECT_THROW(testing::gradients(*engine, data->images, data->labels), InputError);
}

TEST_F(CudaEngineTest, GradientsOfUnusualModels) {
  for (const char* text :
       {"fc 10", "relu, fc 10", "relu, relu, fc 7, relu, relu, fc 10, relu", "conv 10x28",
        "maxpool 7, conv 10x4", "conv 10x5, maxpool 24", "conv 3x5, maxpool 2, relu, fc 10",
        "conv 2x5 pad 2, maxpool 3 stride 1, relu, conv 3x3 pad 1, fc 10",
        "relu, conv 4x3 stride 3, relu, maxpool 2 stride 3, fc 10",
        "conv 3x5, relu, avgpool 2, conv 4x3 pad 2, avgpool 3 stride 2, relu, fc 10"}) {
    expect_gradients(parse_model(text), 19, {1, 19}, 4);
  }
}

TEST_F(CudaEngineTest, GradientsOfModelsDrawnAtRandom) {
  Random random(5);
  for (uint32_t i = 0; i < 12; ++i) {
    expect_gradients(testing::random_model(random), 20, {1 + static_cast<int>(i * 7 % 20)}, i);
  }
}

// Several slices of samples a channel, several blocks of losses.
TEST_F(CudaEngineTest, GradientsOfALargeBatch) {
  expect_gradients(parse_model("conv 2x9 stride 2, relu, fc 10"), 200, {197}, 6);
}

TEST_P(CudaTraining, AgreesWithTheReference) {
  ReferenceEngine<double> reference(plan_);
  const Outcome exact = train(reference);
  const Outcome run = train(plan_, {.steps_per_graph = 2});
  ASSERT_EQ(run.steps.size(), exact.steps.size());
  for (size_t i = 0; i < exact.steps.size(); ++i) {
    EXPECT_EQ(run.steps[i].count, exact.steps[i].count);
    EXPECT_TRUE(std::abs(run.steps[i].loss() - exact.steps[i].loss()) <= 1e-4) << "step " << i;
  }
  EXPECT_EQ(run.test.count, kTestCount);
  EXPECT_TRUE(std::abs(run.test.loss() - exact.test.loss()) <= 1e-4);
  EXPECT_TRUE(is_near(run.parameters, exact.parameters, 1e-4));
  EXPECT_TRUE(is_near(run.buffers, exact.buffers, 1e-4));
}

TEST_P(CudaTraining, GraphsEqualEagerCalls) {
  const Outcome eager = train(plan_, kEager);
  for (const int steps : {1, 2, 100}) {
    expect_same_bits(train(plan_, {.steps_per_graph = steps}), eager);
  }
}

TEST_P(CudaTraining, TwoRunsAreEqualAndSlicesDoNotMatter) {
  const Outcome once = train(plan_, {});
  testing::order_threads(testing::ThreadOrder::kScrambled);
  expect_same_bits(train(plan_, {}), once);
  expect_same_bits(train(plan_, {}, {1, 2, 4}), once);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaTraining,
                         ::testing::Values("custom-mlp", "lenet5",
                                           "conv 3x5 stride 2, relu, bn, maxpool 2, dropout 0.3, "
                                           "fc 20, relu, dropout 0.5, fc 10",
                                           "conv 3x5 stride 2, maxpool 3 stride 2, relu, fc 10"));

TEST_F(CudaEngineTest, EveryWayToTrainFollowsTheReference) {
  for (const char* text : {"conv 4x5 stride 2, relu, maxpool 2, fc 10", "fc 33, relu, fc 10"}) {
    const Plan plan = make_plan(parse_model(text), 48);
    for (const auto& [name, training] : testing::trainings()) {
      ReferenceEngine<double> reference(plan);
      const testing::Trained expected = testing::train(reference, training);
      const auto eager = cuda_engine(plan, kEager);
      const auto recorded = cuda_engine(plan, {.steps_per_graph = 2});
      const testing::Trained trained = testing::train(*eager, training);
      testing::expect_near(trained, expected, text + (", " + name));
      EXPECT_TRUE(testing::train(*recorded, training) == trained) << text << name;
    }
  }
}

// Rounding differs between the two, and training makes more of it.
TEST_F(CudaEngineTest, AHundredStepsAgreeWithTheCpu) {
  constexpr int kSteps = 100, kSmall = 5;  // in CI sanitizers watch every thread of them
  for (const Model& model : {custom_mlp(), lenet5()}) {
    const Plan plan = make_plan(model, kSmall);
    const std::unique_ptr<Engine> engines[] = {make_cpu_engine(plan, 1), cuda_engine(plan)};
    std::vector<Metrics> steps[2];
    for (int i = 0; i < 2; ++i) {
      engines[i]->load(testing::random_dataset(kSteps * kSmall, 21),
                       testing::random_dataset(1, 22));
      engines[i]->set_state(State::kParameters, initial_parameters(plan, 23));
      engines[i]->set_state(State::kMomentum, std::vector<float>(plan.parameter_floats));
      steps[i] = train_steps(*engines[i], 1, 0, kSteps);
    }
    for (int i = 0; i < kSteps; ++i) {
      const double cpu = steps[0][size_t(i)].loss();
      EXPECT_TRUE(std::abs(steps[1][size_t(i)].loss() - cpu) <= 1e-4 * cpu)
          << model.name << ", step " << i;
    }
  }
}

}  // namespace
}  // namespace digitron
