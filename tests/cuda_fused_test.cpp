// The fused step against ReferenceEngine<double> and against the step layer by layer, and what must
// not depend on how its kernels are launched. Compiled as cuda_engine_test.cpp is.
#include <gtest/gtest.h>

#include "host/reference/reference_engine.h"
#include "tests/cuda_testing.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"
#include "tests/models.h"
#include "tests/random_model.h"
#include "tests/training_testing.h"

namespace digitron {
namespace {

using testing::cuda_engine;
using testing::is_near;
using testing::Random;
using testing::ThreadOrder;

class CudaFusedTest : public testing::CudaTest {};

std::unique_ptr<Engine> fused_engine(const Plan& plan, CudaOptions options = {}) {
  options.step = StepKind::kFused;
  return cuda_engine(plan, options);
}

// Of the first `count` samples, for each of the rising counts, and logits of them all.
void expect_fused_gradients(const Model& model, int batch, const std::vector<int>& counts,
                            uint32_t seed) {
  constexpr double kOfAll = 1e-6, kOfTensor = 1e-5;  // a tensor's may nearly cancel
  const Plan plan = make_plan(model, batch);
  Random random(seed);
  const std::vector<float> parameters = testing::varied_parameters(plan, seed);
  const Dataset data = testing::smooth_samples(plan, parameters, counts.back(), random);
  ReferenceEngine<double> reference(plan);
  reference.set_state(State::kParameters, parameters);
  const std::unique_ptr<Engine> engine = fused_engine(plan);
  engine->set_state(State::kParameters, parameters);
  for (const int count : counts) {
    const auto n = static_cast<size_t>(count);
    const auto images = std::span(data.images).first(n * kImagePixels);
    const auto labels = std::span(data.labels).first(n);
    reference.compute_gradients(images, labels);
    const std::vector<double>& exact = reference.exact_gradients();
    const std::vector<float> gradients = testing::gradients(*engine, images, labels);
    EXPECT_TRUE(is_near(gradients, exact, kOfAll))
        << "'" << to_text(model) << "', " << count << " samples";
    for (const Parameter& p : plan.parameters) {
      EXPECT_TRUE(is_near(std::span(gradients).subspan(p.offset, p.count),
                          std::span(exact).subspan(p.offset, p.count), kOfTensor,
                          kOfAll / 10 * testing::norm(exact)))
          << p.name << " of '" << to_text(model) << "', " << count << " samples";
    }
  }
  EXPECT_TRUE(is_near(engine->predict(data.images), reference.predict(data.images), kOfAll))
      << to_text(model);
}

TEST_F(CudaFusedTest, GradientsOfLeNet5) {
  expect_fused_gradients(lenet5(), 64, {1, 3, 32, 64}, 1);
}

// Four samples a group, the last group of one or three.
TEST_F(CudaFusedTest, GradientsOfCustomMlp) {
  expect_fused_gradients(custom_mlp(), 64, {1, 3, 32, 64}, 2);
}

// In six segments.
TEST_F(CudaFusedTest, GradientsOfLeNet5Improved) {
  expect_fused_gradients(lenet5_improved(), 64, {3, 33}, 3);
}

TEST_F(CudaFusedTest, GradientsWhereverABatchNormalisationStands) {
  for (const char* text :
       {"bn, fc 10", "bn, relu, bn, maxpool 2, bn, bn, fc 10",
        "conv 3x5, bn, relu, maxpool 3, fc 10", "conv 3x5, maxpool 2, dropout 0.3, bn, fc 10",
        "conv 3x3 pad 1, bn, maxpool 4, conv 4x3, relu, maxpool 2, bn, conv 5x3 pad 2, relu, fc 10",
        "avgpool 2, conv 10x5, relu, avgpool 2, bn, relu, conv 10x5"}) {
    expect_fused_gradients(parse_model(text), 5, {2, 5}, 4);
  }
}

TEST_F(CudaFusedTest, GradientsOfModelsDrawnAtRandom) {
  Random random(3);
  for (uint32_t i = 0; i < 50; ++i) {
    const Model model = testing::random_fused_model(random);
    if (i % 25 == 7) {
      expect_fused_gradients(model, 64, {32, 64}, i);
    } else {
      expect_fused_gradients(model, i % 4 == 0 ? 32 : 3, {i % 3 == 0 ? 1 : 3}, i);
    }
  }
}

// Two blocks of a sample exchange what they make of three convolutions' outputs and gradients.
constexpr const char* kThreeConvolutions =
    "conv 4x3 pad 1, relu, maxpool 3 stride 2, conv 6x3, relu, conv 7x5 pad 2, avgpool 2, "
    "dropout 0.25, fc 33, relu, dropout 0.5, fc 10";

constexpr const char* kNormalised =
    "conv 4x5, relu, bn, maxpool 2, conv 6x3, bn, relu, maxpool 2, dropout 0.25, fc 10";

struct Variant {
  CudaOptions options;
  ThreadOrder order;
  int first_slice;
};

// What is left of a training does not depend on how the kernels are launched, to the last bit.
void expect_same_bits(const Plan& plan, testing::Extent extent,
                      const std::vector<Variant>& variants) {
  const Training training{.optimizer = {.momentum = 0.9f, .weight_decay = 0.001f}};
  const CudaOptions plain{
      .blocks_per_sample = 1, .dependent_launch = false, .constant_program = false, .graph = false};
  const testing::Trained expected = train(*fused_engine(plan, plain), training, extent);
  for (size_t i = 0; i < variants.size(); ++i) {
    testing::order_threads(variants[i].order);
    extent.first_slice = variants[i].first_slice;
    const auto engine = fused_engine(plan, variants[i].options);
    EXPECT_TRUE(train(*engine, training, extent) == expected) << "variant " << i;
  }
  testing::order_threads(ThreadOrder::kAscending);
}

TEST_F(CudaFusedTest, BitsDoNotDependOnHowItIsLaunched) {
  const std::vector<Variant> variants{
      {{.blocks_per_sample = 1, .steps_per_graph = 2}, ThreadOrder::kDescending, 0},
      {{.blocks_per_sample = 2, .dependent_launch = false, .graph = false},
       ThreadOrder::kScrambled,
       1},
      {{.blocks_per_sample = 2, .dependent_launch = false, .steps_per_graph = 2},
       ThreadOrder::kAscending,
       2},
      {{.blocks_per_sample = 2, .graph = false}, ThreadOrder::kDescending, 0},
      {{.blocks_per_sample = 2, .steps_per_graph = 1}, ThreadOrder::kScrambled, 2},
      {{.blocks_per_sample = 2, .steps_per_graph = 2}, ThreadOrder::kScrambled, 3}};
  // Two steps and a ragged one; of the last model four samples a group. LeNet-5 has a kernel of its
  // own.
  expect_same_bits(make_plan(lenet5(), 2), {5, 1, 1}, variants);
  expect_same_bits(make_plan(parse_model(kThreeConvolutions), 2), {5, 1, 1}, variants);
  expect_same_bits(make_plan(parse_model(kNormalised), 2), {5, 1, 1}, variants);
  expect_same_bits(make_plan(parse_model("fc 33, relu, dropout 0.25, fc 25, fc 10"), 32),
                   {66, 1, 1}, variants);
}

TEST_F(CudaFusedTest, TheMlpHasAKernelOfItsOwn) {
  expect_same_bits(make_plan(custom_mlp(), 64), {70, 1, 1},
                   {{{.blocks_per_sample = 1}, ThreadOrder::kAscending, 0},
                    {{.blocks_per_sample = 2}, ThreadOrder::kScrambled, 0}});
}

TEST_F(CudaFusedTest, AGraphOf32StepsIsTheSameBits) {
  const std::vector<Variant> variants{{{.steps_per_graph = 32}, ThreadOrder::kScrambled, 0},
                                      {{.steps_per_graph = 32}, ThreadOrder::kAscending, 1}};
  expect_same_bits(make_plan(parse_model("conv 2x5, relu, maxpool 4, fc 10"), 1), {33, 1, 1},
                   variants);
}

TEST_F(CudaFusedTest, EveryWayToTrainFollowsTheReference) {
  const std::pair<const char*, int> models[] = {
      {"conv 4x5, relu, maxpool 2, fc 20, relu, dropout 0.4, fc 10", 4},
      {"fc 33, relu, dropout 0.25, fc 10", 32},
      {"conv 3x5, bn, relu, maxpool 2, fc 10", 4}};
  for (const auto& [text, batch] : models) {
    const Plan plan = make_plan(parse_model(text), batch);
    const testing::Extent extent{5 * batch / 2, 7, 1};
    for (const auto& [name, training] : testing::trainings()) {
      ReferenceEngine<double> reference(plan);
      const testing::Trained expected = train(reference, training, extent);
      const auto engine = fused_engine(plan, {.steps_per_graph = 2});
      testing::expect_near(train(*engine, training, extent), expected, text + (", " + name));
    }
  }
}

// Rounding differs between the two, and training makes more of it.
TEST_F(CudaFusedTest, AHundredStepsAgreeWithTheStepLayerByLayer) {
  constexpr int kSteps = 100, kSamples = 2;
  const Plan plan = make_plan(lenet5(), kSamples);
  std::vector<double> losses[2];
  std::vector<float> parameters[2];
  for (const bool fused : {false, true}) {
    const auto engine = cuda_engine(plan, {.step = fused ? StepKind::kFused : StepKind::kLayers});
    engine->load(testing::random_dataset(kSteps * kSamples, 21), testing::random_dataset(1, 22));
    engine->set_state(State::kParameters, initial_parameters(plan, 23));
    for (const Metrics& step : testing::train_steps(*engine, 1, 0, kSteps)) {
      losses[fused].push_back(step.loss());
    }
    parameters[fused] = engine->state(State::kParameters);
  }
  EXPECT_TRUE(is_near(losses[1], losses[0], 1e-5));
  EXPECT_TRUE(is_near(parameters[1], parameters[0], 1e-5));
}

TEST_F(CudaFusedTest, EvaluatesATestSetAsTheReferenceDoes) {
  for (const Model& model : {custom_mlp(), lenet5(), lenet5_improved()}) {
    const Plan plan = make_plan(model, 16);
    ReferenceEngine<double> reference(plan);
    const auto engine = fused_engine(plan);
    Metrics metrics[2];
    for (Engine* each : {static_cast<Engine*>(&reference), engine.get()}) {
      each->load(testing::random_dataset(3, 31), testing::random_dataset(37, 32));
      each->set_state(State::kParameters, initial_parameters(plan, 33));
      metrics[each == engine.get()] = each->evaluate(Split::kHeldOut);
    }
    EXPECT_EQ(metrics[1].count, 37);
    EXPECT_EQ(metrics[1].correct, metrics[0].correct) << model.name;
    EXPECT_NEAR(metrics[1].loss(), metrics[0].loss(), 1e-6 * metrics[0].loss()) << model.name;
  }
}

}  // namespace
}  // namespace digitron
