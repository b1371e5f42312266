// What only the stand-in for CUDA can show of the fused step: how many kernels it launches, how
// often the host allocates and waits, and which GPUs and options have which form of it.
#include <gmock/gmock.h>

#include <map>

#include <host_cuda.h>
#include "cuda/cuda_engine.h"
#include "tests/cuda_testing.h"
#include "tests/data_testing.h"
#include "tests/engine_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;

constexpr int kFusedBatch = 4;
constexpr int kFusedTrainCount = 22;  // 5 steps of 4 and one of 2
constexpr int kFusedTestCount = 37;
constexpr CudaOptions kFused{.step = StepKind::kFused};

using DetailValue = decltype(Detail::value);

class CudaFusedOnHostTest : public testing::CudaTest {
 protected:
  const Plan plan_ = make_plan(parse_model("conv 2x5, relu, maxpool 4, fc 10"), kFusedBatch);
};

void load(Engine& engine) {
  engine.load(testing::random_dataset(kFusedTrainCount, 1),
              testing::random_dataset(kFusedTestCount, 2));
}

TEST_F(CudaFusedOnHostTest, TwoKernelsAStepAndOneAGraph) {
  CudaOptions options = kFused;
  options.steps_per_graph = 2;
  CudaEngine engine(plan_, 0, options);
  load(engine);
  const int steps = steps_per_epoch(kFusedTrainCount, kFusedBatch);
  testing::train_steps(engine, 1, 0, steps);
  testing::train_steps(engine, 2, 0, steps);
  host_cuda::reset_counters();
  testing::train_steps(engine, 3, 0, steps);
  const host_cuda::Counters counters = host_cuda::counters();
  EXPECT_EQ(counters.graph_launches, 4);  // two of 2 steps, one of 1, and the ragged one
  EXPECT_EQ(counters.kernels, 2 * steps + counters.graph_launches);
  EXPECT_EQ(counters.library_calls, 0);
  EXPECT_EQ(counters.fills, 0);
  EXPECT_EQ(counters.allocations, 0);
  EXPECT_EQ(counters.copies, 3);  // rates and state in, metrics out
  EXPECT_EQ(counters.synchronizations, 1);
}

// A batch normalisation cuts the sample pass, forward and back.
TEST_F(CudaFusedOnHostTest, SixKernelsAStepOfLeNet5Improved) {
  CudaEngine engine(make_plan(lenet5_improved(), 2), 0, kFused);
  EXPECT_THAT(engine.description(), HasSubstr("fused, 6 kernels a step"));
  engine.load(testing::random_dataset(4, 1), testing::random_dataset(2, 2));
  testing::train_steps(engine, 1, 0, 2);
  testing::train_steps(engine, 2, 0, 2);
  host_cuda::reset_counters();
  testing::train_steps(engine, 3, 0, 2);
  EXPECT_EQ(host_cuda::counters().kernels, 6 * 2 + host_cuda::counters().graph_launches);
  host_cuda::reset_counters();
  EXPECT_EQ(engine.evaluate(Split::kHeldOut).count, 2);
  EXPECT_EQ(host_cuda::counters().kernels, 2);
}

// The sample pass, and the one that sums.
TEST_F(CudaFusedOnHostTest, TwoKernelsAnEvaluation) {
  CudaEngine engine(plan_, 0, kFused);
  load(engine);
  host_cuda::reset_counters();
  EXPECT_EQ(engine.evaluate(Split::kHeldOut).count, kFusedTestCount);
  EXPECT_EQ(host_cuda::counters().kernels, 2);
  EXPECT_EQ(host_cuda::counters().library_calls, 0);
  EXPECT_EQ(host_cuda::counters().synchronizations, 1);
  host_cuda::reset_counters();
  engine.predict(testing::random_dataset(kFusedTestCount, 3)->images);
  EXPECT_EQ(host_cuda::counters().kernels, 1);
}

std::map<std::string, DetailValue> details_of(const Engine& engine, const std::string& group) {
  std::map<std::string, DetailValue> details;
  for (const Detail& detail : engine.describe().details) {
    if (detail.group == group) details[detail.name] = detail.value;
  }
  return details;
}

TEST_F(CudaFusedOnHostTest, RunDetailsTellItsForm) {
  const CudaEngine engine(make_plan(lenet5(), 64), 0, kFused);
  EXPECT_EQ(engine.description(),
            "CUDA, stand-in for CUDA on the host, graphs of 32 steps, fused, 2 kernels a step, two "
            "blocks a "
            "sample (asked for, by --step or by the run that is resumed)");
  EXPECT_EQ(
      details_of(engine, "step"),
      (std::map<std::string, DetailValue>{
          {"way", "fused"}, {"reason", "asked for, by --step or by the run that is resumed"}}));
  EXPECT_EQ(details_of(engine, "fused step"),
            (std::map<std::string, DetailValue>{{"samples of a group", int64_t{1}},
                                                {"blocks of a group", int64_t{2}},
                                                {"dependent launch", "yes"},
                                                {"program", "constant"},
                                                {"shared bytes of a block", int64_t{215392}},
                                                {"record bytes of a sample", int64_t{13584}}}));
  EXPECT_TRUE(details_of(engine, "algorithms at batch 64").empty());
}

TEST_F(CudaFusedOnHostTest, AnOptionTurnsEachPartOff) {
  CudaOptions options = kFused;
  options.blocks_per_sample = 1;
  options.dependent_launch = false;
  options.constant_program = false;
  const CudaEngine engine(make_plan(lenet5(), 64), 0, options);
  EXPECT_THAT(engine.description(), HasSubstr(" steps, fused, 2 kernels a step (asked for"));
  const auto details = details_of(engine, "fused step");
  EXPECT_EQ(details.at("blocks of a group"), DetailValue(int64_t{1}));
  EXPECT_EQ(details.at("dependent launch"), DetailValue("no"));
  EXPECT_EQ(details.at("program"), DetailValue("argument"));
}

// Neither clusters nor dependent launches: the stand-in refuses both there.
TEST_F(CudaFusedOnHostTest, AnOlderGpuTakesOneBlockASample) {
  host_cuda::set_compute_capability(8, 0);
  CudaEngine engine(plan_, 0, kFused);
  const auto details = details_of(engine, "fused step");
  EXPECT_EQ(details.at("blocks of a group"), DetailValue(int64_t{1}));
  EXPECT_EQ(details.at("dependent launch"), DetailValue("no"));
  load(engine);
  EXPECT_EQ(testing::train_steps(engine, 1, 0, 2).size(), 2u);
}

std::string refusal(const Plan& plan, const CudaOptions& options) {
  return testing::error_of<InputError>([&] { CudaEngine(plan, 0, options); });
}

TEST_F(CudaFusedOnHostTest, WhatAGpuDoesNotHaveIsRefusedInWords) {
  CudaOptions options = kFused;
  options.tf32 = true;
  EXPECT_EQ(refusal(plan_, options),
            "--step fused: it computes in fp32, and --precision is tf32; take --step layers or "
            "auto");
  host_cuda::set_compute_capability(8, 6);
  options = kFused;
  options.blocks_per_sample = 2;
  EXPECT_EQ(refusal(plan_, options),
            "--step fused: two blocks a sample take compute capability 9.0, and this GPU has 8.6; "
            "take --step layers or auto");
  const Plan large = make_plan(
      parse_model("conv 16x5, relu, maxpool 2, conv 32x5, relu, maxpool 2, fc 10"), kFusedBatch);
  EXPECT_EQ(refusal(large, kFused),
            "--step fused: a sample takes 137 KB of shared memory, this GPU has 99; take --step "
            "layers or auto");
}

TEST_F(CudaFusedOnHostTest, AutoSaysWhyAPlanHasNoFusedForm) {
  const std::pair<const char*, const char*> reasons[] = {
      {"conv 2x5 stride 2, fc 10", "conv1's stride 2 has no fused form"},
      {"conv 2x7, relu, fc 10", "conv1's kernel 7 has no fused form"}};
  for (const auto& [model, reason] : reasons) {
    const CudaEngine engine(make_plan(parse_model(model), kFusedBatch), 0, {});
    EXPECT_EQ(details_of(engine, "step"),
              (std::map<std::string, DetailValue>{{"way", "layers"}, {"reason", reason}}));
    EXPECT_THAT(engine.description(), HasSubstr(std::string("layer by layer (") + reason + ")"));
  }
}

}  // namespace
}  // namespace digitron
