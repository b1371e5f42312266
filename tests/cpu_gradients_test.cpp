// CpuEngine's gradients against ReferenceEngine<double>, for the known models, for models that try
// every way the engine can fuse layers, and for models drawn at random.
#include <gtest/gtest.h>

#include <numeric>

#include "host/cpu/cpu_engine.h"
#include "host/reference/reference_engine.h"
#include "tests/cpu_testing.h"
#include "tests/models.h"
#include "tests/random_model.h"

namespace digitron {
namespace {

using testing::is_near;
using testing::Random;

constexpr int kBatch = 50;
constexpr double kTolerance = 1e-5;
// A part of the whole gradient's norm: a bias's gradient may be a sum that cancels, and is no more
// exact than its terms. Before a batch normalisation it always cancels, to 0, and the rounding of
// ten thousand terms is left, which is 1e-7 to 5e-7 of the norm.
constexpr double kSlack = 1e-7;
constexpr double kBatchNormSlack = 1e-6;

double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

// How many of the tensors compared had a gradient at all.
struct Compared {
  int tensors = 0;
  int zero = 0;
};

Compared expect_gradients(const Model& model, const std::vector<int>& counts, uint32_t seed,
                          double tolerance = kTolerance) {
  Compared compared;
  const Plan plan = make_plan(model, kBatch);
  Random random(seed);
  const std::vector<float> parameters = testing::varied_parameters(plan, seed);
  ReferenceEngine<double> reference(plan);
  reference.set_state(State::kParameters, parameters);
  for (const int count : counts) {
    const Dataset data = testing::smooth_samples(plan, parameters, count, random);
    reference.compute_gradients(data.images, data.labels);
    const double slack =
        (plan.buffers.empty() ? kSlack : kBatchNormSlack) * norm(reference.exact_gradients());
    for (const CpuKernels* kernels : runnable_cpu_kernels()) {
      CpuEngine engine(plan, 1 + count % 3, *kernels);
      engine.set_state(State::kParameters, parameters);
      const std::vector<float> gradients = testing::gradients(engine, data.images, data.labels);
      for (const Parameter& p : plan.parameters) {
        const auto expected = std::span(reference.exact_gradients()).subspan(p.offset, p.count);
        EXPECT_TRUE(
            is_near(std::span(gradients).subspan(p.offset, p.count), expected, tolerance, slack))
            << p.name << " of '" << to_text(model) << "', " << count << " samples, "
            << engine.description();
        ++compared.tensors;
        compared.zero +=
            std::all_of(expected.begin(), expected.end(), [](double g) { return g == 0; });
      }
    }
  }
  return compared;
}

TEST(CpuGradients, LeNet5) {
  EXPECT_EQ(expect_gradients(lenet5(), {1, 15, 16, 17, 50}, 1).zero, 0);
}

TEST(CpuGradients, CustomMlp) {
  EXPECT_EQ(expect_gradients(custom_mlp(), {1, 15, 16, 17, 50}, 2).zero, 0);
}

TEST(CpuGradients, LeNet5Improved) {
  EXPECT_EQ(expect_gradients(lenet5_improved(), {1, 2, 15, 16, 17, 50}, 6).zero, 0);
}

TEST(CpuGradients, OtherTasks) {
  for (const char* text : {"conv 5x3, relu, maxpool 2, fc 12", "fc 20, relu, fc 12"}) {
    expect_gradients(parse_model(text, coloured_task()), {1, 16, 19}, 8);
  }
}

// More than kStripBlocks blocks: what the linear layers' gradients take at a time.
TEST(CpuGradients, LargeBatch) {
  const Plan plan = make_plan(parse_model("fc 33, relu, fc 10"), 600);
  Random random(3);
  const std::vector<float> parameters = initial_parameters(plan, 3);
  const Dataset data = testing::smooth_samples(plan, parameters, 597, random);
  ReferenceEngine<double> reference(plan);
  reference.set_state(State::kParameters, parameters);
  reference.compute_gradients(data.images, data.labels);
  for (const CpuKernels* kernels : runnable_cpu_kernels()) {
    CpuEngine engine(plan, 2, *kernels);
    engine.set_state(State::kParameters, parameters);
    EXPECT_TRUE(is_near(testing::gradients(engine, data.images, data.labels),
                        reference.exact_gradients(), kTolerance))
        << kernels->name;
  }
}

class CpuGradientsOf : public ::testing::TestWithParam<const char*> {};

TEST_P(CpuGradientsOf, Text) {
  expect_gradients(parse_model(GetParam()), {1, 16, 19}, 4);
}

INSTANTIATE_TEST_SUITE_P(
    Models, CpuGradientsOf,
    ::testing::Values(
        "fc 10", "relu, fc 10", "relu, relu, fc 7, relu, relu, fc 10, relu", "conv 10x28",
        "maxpool 7, conv 10x4", "maxpool 3 stride 2, fc 10",
        "conv 3x5, maxpool 2, relu, fc 10",        // pooling, then ReLU
        "conv 3x5, relu, maxpool 2, relu, fc 10",  // ReLU on both sides
        "conv 3x5, relu, relu, maxpool 5, fc 10",  // columns that pooling drops
        "conv 2x5 pad 2, maxpool 3 stride 1, relu, conv 3x3 pad 1, fc 10",
        "conv 2x5, relu, conv 4x5 pad 4, relu, conv 3x5 pad 2, relu, fc 10",
        "relu, conv 4x3 stride 3, relu, maxpool 2 stride 3, fc 10",
        "conv 2x1 stride 3 pad 2, conv 3x2 pad 3 stride 2, fc 10",
        "maxpool 2, maxpool 2, relu, conv 17x7, fc 10",
        "conv 1x7 stride 2, relu, conv 1x6, relu, fc 1, fc 10", "bn, fc 10",
        "bn, relu, bn, maxpool 2, bn, bn, fc 10",
        "conv 3x5, bn, relu, maxpool 2, fc 10",  // all of it in one stage
        "conv 3x5, bn, maxpool 2, relu, fc 10",
        "conv 2x5, relu, relu, bn, maxpool 5, fc 10",  // columns that pooling drops
        "conv 2x5, relu, bn, maxpool 3 stride 2, bn, fc 10",
        "maxpool 2, bn, conv 3x3 pad 1, relu, bn, conv 4x3 pad 2, relu, fc 10",
        "relu, bn, conv 10x28", "avgpool 2, fc 10", "avgpool 28, fc 10",
        "conv 3x5, relu, avgpool 2, conv 4x3 pad 2, avgpool 3 stride 2, relu, fc 10",
        "conv 2x5, avgpool 3 stride 5, bn, avgpool 2 stride 1, maxpool 2, fc 10",
        "conv 10x7 stride 7, bn, maxpool 4", "dropout 0.5, fc 10",
        "dropout 0, fc 20, relu, dropout 0.9, fc 10",
        "fc 20, dropout 0.25, relu, dropout 0.5, dropout 0.5, fc 10, dropout 0.1",
        "conv 3x5 pad 1, dropout 0.3, relu, maxpool 2, dropout 0.3, bn, fc 10",
        "conv 3x5, relu, dropout 0.5, conv 2x3 pad 1, maxpool 2, dropout 0.5, fc 10",
        // Winograd's: rows and columns that pooling drops, other poolings, one after another, and
        // blocks that come back when others have been forward
        "conv 4x5 pad 2, relu, maxpool 2, conv 6x4, relu, conv 5x3, relu, maxpool 2, fc 10",
        "conv 5x3, relu, conv 7x5 pad 2, maxpool 2, conv 4x5 pad 3, relu, fc 10",
        "conv 4x5 stride 2, conv 5x3 pad 1, relu, maxpool 3, fc 10",
        "conv 4x3 stride 3, relu, conv 9x3, bn, relu, conv 3x3 pad 2, relu, bn, maxpool 2, fc 10"));

// Batch normalisations of single values. Two of them would leave next to no gradient.
TEST(CpuGradients, PlanesOfOneValue) {
  for (const char* text : {"conv 10x28, bn", "conv 5x28, bn, relu, fc 10",
                           "conv 4x7 stride 7, maxpool 4, bn, dropout 0.5, bn, conv 10x1"}) {
    expect_gradients(parse_model(text), {16, 17, 50}, 7);
    expect_gradients(parse_model(text), {3}, 7, 1e-4);  // of three, differences are left
  }
}

TEST(CpuGradients, ModelsDrawnAtRandom) {
  constexpr int kModels = 40;
  const std::vector<int> counts{1, 15, 16, 17, 50};
  Random random(5);
  Compared all;
  for (int i = 0; i < kModels; ++i) {
    const Model model = testing::random_model(random);
    const Compared compared =
        expect_gradients(model, {counts[size_t(i) % counts.size()]}, uint32_t(100 + i));
    all.tensors += compared.tensors;
    all.zero += compared.zero;
  }
  EXPECT_LT(all.zero * 10, all.tensors) << "too many dead networks to mean anything";
}

}  // namespace
}  // namespace digitron
