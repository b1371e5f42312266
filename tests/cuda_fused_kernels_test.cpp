// The fused step's two kernels by themselves, in parts and started early, for ThreadSanitizer to
// watch: what is left must not depend on that either.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "cuda/sample_program.h"
#include "cuda/weight_program.h"
#include "host/core/model.h"
#include "kernels/sample_pass.h"
#include "tests/cuda_testing.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"
#include "tests/on_device.h"

namespace digitron {
namespace {

using testing::OnDevice;

constexpr uint32_t kSteps = 2;
constexpr Augmentation kDistortion{2 * kFixedOne, kFixedOne / 5, kFixedOne / 8, kFixedOne / 6};

// The parameters after two steps of n samples, as cuda/fused_step.cpp enqueues them.
std::vector<float> train(const Plan& plan, int n, int parts, bool early) {
  constexpr size_t kSharedBytes = 227 * 1024;
  const auto program = std::get<SampleProgram>(make_sample_program(plan, {kSharedBytes, parts}));
  const WeightProgram weights = make_weight_program(program);
  const auto count = static_cast<uint32_t>(n);
  const auto data = testing::random_dataset(n * int{kSteps}, 1);
  OnDevice<uint8_t> images(data->images), labels(data->labels);
  const StepState start = {Permutation(5, 2, kSteps * count, true), 0, 7, 2, 5, 0};
  OnDevice<StepState> state({start});
  OnDevice<StepRates> rates(std::vector<StepRates>(kSteps, {.lr = 0.1f}));
  OnDevice<float> parameters(initial_parameters(plan, 3)), momentum(plan.parameter_floats);
  OnDevice<float> records(count * static_cast<size_t>(program.record_floats));
  OnDevice<float> cross(count * static_cast<size_t>(program.cross_floats) + 1);
  OnDevice<float> running(plan.buffer_floats + 1);
  OnDevice<LossSums> losses(count), metrics(kSteps);
  const SampleBuffers samples{images, labels, state, parameters, running, records, cross, losses};
  const FlatBuffers buffers{parameters, momentum, nullptr, nullptr};
  EXPECT_EQ(prepare_sample_pass(program, parts, -1), cudaSuccess);
  for (uint32_t step = 0; step < kSteps; ++step) {
    bool starts_early = early && step > 0;
    for (const SampleSegment& segment : training_segments(program)) {
      const SampleLaunch how{n, parts, step, starts_early, true, 0.1f, kMnistForm, segment};
      EXPECT_EQ(sample_pass(program, samples, kDistortion, how, nullptr), cudaSuccess);
      starts_early = early;
    }
    EXPECT_EQ(weight_pass(weights, buffers, records, losses, metrics, update_rule({}), rates, state,
                          step, n, early, nullptr),
              cudaSuccess);
  }
  EXPECT_EQ(advance_steps(state, kSteps, n, nullptr), cudaSuccess);
  EXPECT_EQ(state.values()[0].step, start.step + kSteps);
  return parameters.values();
}

class CudaFusedKernels : public testing::CudaTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(CudaFusedKernels, PartsAndEarlyStartsLeaveTheSame) {
  constexpr int kBatch = 32;  // groups samples where there is no convolution
  const Plan plan = make_plan(find_model(GetParam()), kBatch);
  const int n = 2;
  const std::vector<float> expected = train(plan, n, 1, false);
  EXPECT_NE(expected, initial_parameters(plan, 3));
  EXPECT_EQ(train(plan, n, 1, true), expected);
  EXPECT_EQ(train(plan, n, 2, false), expected);
  EXPECT_EQ(train(plan, n, 2, true), expected);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaFusedKernels,
                         ::testing::Values("conv 3x5, bn, maxpool 4, conv 4x3, relu, bn, fc 10",
                                           "fc 33, relu, dropout 0.25, fc 20, fc 10",
                                           "relu, conv 4x3 pad 1, relu, maxpool 3 stride 2, conv "
                                           "6x3, relu, conv 7x5 pad 2, avgpool 2, dropout 0.25, "
                                           "fc 10"));

}  // namespace
}  // namespace digitron
