// What profilers are told of the engine's work, as the stand-in for NVTX keeps it.
#include <gmock/gmock.h>

#include <functional>

#include <host_cuda.h>
#include "cuda/cuda_engine.h"
#include "tests/cuda_testing.h"
#include "tests/data_testing.h"
#include "tests/engine_testing.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using testing::kBatch;
using testing::kTestCount;
using testing::kTrainCount;

class CudaNvtxTest : public testing::CudaTest {};

// The ranges of the third call of `train`, by when its graphs are recorded, and of what follows.
std::vector<std::string> ranges(const CudaOptions& options,
                                const std::function<void(CudaEngine&)>& then) {
  CudaEngine engine(make_plan(parse_model("fc 20, relu, fc 10"), kBatch), 0, options);
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  testing::train_steps(engine, 2, 0, 4);
  testing::train_steps(engine, 2, 0, 4);
  host_cuda::reset_ranges();
  testing::train_steps(engine, 3, 0, 4);
  then(engine);
  EXPECT_EQ(host_cuda::open_ranges(), 0u);
  return host_cuda::ranges();
}

TEST_F(CudaNvtxTest, RangesOfGraphsAreAnEpochOfTheTrainersAndItsLaunches) {
  const auto rest_of_epoch = [](CudaEngine& engine) {
    EXPECT_EQ(host_cuda::open_ranges(), 1u);
    testing::train_steps(engine, 3, 4, 5);
    testing::train_steps(engine, 3, 5, 6);
  };
  EXPECT_THAT(
      ranges({.steps_per_graph = 3}, rest_of_epoch),
      ElementsAre("digitron/epoch [epoch] 3",  //
                  "digitron/steps [step] 13",  // of three steps
                  "digitron/step [step] 16",   //
                  "digitron/step [step] 17",   // another call of the same epoch
                  "digitron/step [step] 18",   // ragged, and for the first time
                  "digitron/step/gather [gather]", "digitron/step/fc1 forward [forward]",
                  "digitron/step/fc2 forward [forward]", "digitron/step/loss [loss]",
                  "digitron/step/fc2 backward [backward]", "digitron/step/fc1 backward [backward]",
                  "digitron/step/update [update]", "digitron/step/advance [update]"));
}

TEST_F(CudaNvtxTest, RangesOfAnEagerStepAreItsLayersAndDirections) {
  const std::vector<std::string> all =
      ranges({.step = StepKind::kLayers, .graph = false}, [](CudaEngine& engine) {
        testing::train_steps(engine, 3, 4, 6);
        engine.evaluate(Split::kHeldOut);
      });
  ASSERT_EQ(all.size(), 1u + 6 * 9 + 1 + 6);
  EXPECT_THAT(std::vector(all.begin(), all.begin() + 11),
              ElementsAre("digitron/epoch [epoch] 3",               //
                          "digitron/step [step] 13",                //
                          "digitron/step/gather [gather]",          //
                          "digitron/step/fc1 forward [forward]",    //
                          "digitron/step/fc2 forward [forward]",    //
                          "digitron/step/loss [loss]",              //
                          "digitron/step/fc2 backward [backward]",  //
                          "digitron/step/fc1 backward [backward]",  //
                          "digitron/step/update [update]",          //
                          "digitron/step/advance [update]",         //
                          "digitron/step [step] 14"));
  EXPECT_THAT(std::vector(all.end() - 7, all.end()),
              ElementsAre("digitron/evaluate [evaluate]",                   //
                          "digitron/evaluate/batch [evaluate] 1",           //
                          "digitron/evaluate/batch/gather [gather]",        //
                          "digitron/evaluate/batch/fc1 forward [forward]",  //
                          "digitron/evaluate/batch/fc2 forward [forward]",  //
                          "digitron/evaluate/batch/loss [loss]",            //
                          "digitron/evaluate/batch/advance [update]"));
}

TEST_F(CudaNvtxTest, ARangeStandsAroundTheRecordingOfAGraph) {
  CudaEngine engine(make_plan(parse_model("fc 10"), kBatch), 0, {});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  host_cuda::reset_ranges();
  testing::train_steps(engine, 1, 0, 2);
  EXPECT_THAT(host_cuda::ranges(),
              IsSupersetOf({"digitron/step/record graph [record graph]",
                            "digitron/step/record graph/fc1 forward [forward]"}));
}

TEST_F(CudaNvtxTest, RangesOfAFusedStepAreItsKernels) {
  const std::vector<std::string> all =
      ranges({.step = StepKind::kFused, .graph = false},
             [](CudaEngine& engine) { testing::train_steps(engine, 3, 4, 6); });
  EXPECT_THAT(std::vector(all.begin() + 1, all.begin() + 4),
              ElementsAre("digitron/step [step] 13", "digitron/step/sample pass [step]",
                          "digitron/step/weight pass [update]"));
}

}  // namespace
}  // namespace digitron
