// CpuEngine with every way to train that is not the reference job's, against
// ReferenceEngine<double>, and its bits on any number of threads.
#include <gtest/gtest.h>

#include "host/cpu/cpu_engine.h"
#include "host/reference/reference_engine.h"
#include "tests/cpu_testing.h"
#include "tests/models.h"
#include "tests/training_testing.h"

namespace digitron {
namespace {

using testing::train;
using testing::trainings;

class CpuTraining : public testing::CpuKernelsTest {};

TEST_P(CpuTraining, FollowsTheReference) {
  for (const Model& model : {parse_model("conv 4x5 stride 2, relu, maxpool 2, fc 10"),
                             parse_model("fc 33, relu, fc 10")}) {
    const Plan plan = make_plan(model, 48);
    for (const auto& [name, training] : trainings()) {
      ReferenceEngine<double> reference(plan);
      CpuEngine engine(plan, 2, kernels_);
      const testing::Trained expected = train(reference, training);
      testing::expect_near(train(engine, training), expected, model.id + ", " + name);
    }
  }
}

TEST_P(CpuTraining, AnyNumberOfThreadsGivesTheSameBits) {
  for (const Model& model : {lenet5(), custom_mlp()}) {
    for (const auto& [name, training] : trainings()) {
      CpuEngine one(make_plan(model, 48), 1, kernels_), three(make_plan(model, 48), 3, kernels_);
      EXPECT_TRUE(train(three, training) == train(one, training)) << model.id << ", " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuTraining, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
