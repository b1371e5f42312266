// What only the stand-in for CUDA can show of the engine: how often it allocates and waits, and
// what it says when a call fails.
#include <gmock/gmock.h>

#include <map>
#include <optional>

#include <host_cuda.h>
#include "cuda/cuda_engine.h"
#include "cuda/module.h"
#include "tests/cuda_testing.h"
#include "tests/data_testing.h"
#include "tests/engine_testing.h"
#include "tests/models.h"

namespace digitron {

std::unique_ptr<Engine> testing::cuda_engine(const Plan& plan, const CudaOptions& options) {
  return std::make_unique<CudaEngine>(plan, 0, options);
}

namespace {

using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kBatch;
using testing::kTestCount;
using testing::kTrainCount;

class CudaOnHostTest : public testing::CudaTest {};

TEST_F(CudaOnHostTest, InsideAnEpochNothingIsAllocatedAndTheHostWaitsOnce) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {.steps_per_graph = 2});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  const int steps = steps_per_epoch(kTrainCount, kBatch);
  testing::train_steps(engine, 1, 0, steps);
  testing::train_steps(engine, 2, 0, steps);
  host_cuda::reset_counters();
  testing::train_steps(engine, 3, 0, steps);
  const host_cuda::Counters counters = host_cuda::counters();
  EXPECT_EQ(counters.allocations, 0);
  EXPECT_EQ(counters.graph_launches, 4);  // two of 2 steps, one of 1, and the ragged one
  EXPECT_EQ(counters.copies, 3);          // rates and state in, metrics out
  EXPECT_EQ(counters.synchronizations, 1);
}

TEST_F(CudaOnHostTest, WithoutGraphsNoneIsLaunched) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {.graph = false});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  testing::train_steps(engine, 1, 0, 3);
  testing::train_steps(engine, 2, 0, 3);
  EXPECT_EQ(host_cuda::counters().graph_launches, 0);
}

TEST_F(CudaOnHostTest, OutOfMemorySaysHowMuch) {
  host_cuda::set_free_bytes(size_t{48} << 20);
  try {
    CudaEngine(make_plan(custom_mlp(), 4096), 0, {});
    FAIL() << "no error";
  } catch (const MachineError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("MiB were asked for"), std::string::npos) << what;
    EXPECT_NE(what.find("48.0 MiB of "), std::string::npos) << what;
    EXPECT_NE(what.find("take a smaller batch"), std::string::npos) << what;
  }
}

TEST_F(CudaOnHostTest, AGpuLostInTheMiddleIsAnError) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  testing::train_steps(engine, 1, 0, 2);
  host_cuda::fail_call("cudaStreamSynchronize", cudaErrorLaunchFailure);
  lost_ = true;
  try {
    testing::train_steps(engine, 1, 2, 4);
    FAIL() << "no error";
  } catch (const MachineError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("cudaStreamSynchronize failed: "), std::string::npos) << what;
    EXPECT_NE(what.find("cuda_engine.cpp:"), std::string::npos) << what;
    EXPECT_NE(what.find("use --device cpu"), std::string::npos) << what;
  }
  EXPECT_THROW(engine.state(State::kParameters), MachineError);
}

TEST_F(CudaOnHostTest, WithoutAnEpilogueTheBiasIsAKernelOfItsOwn) {
  const Plan plan = make_plan(parse_model("fc 20, relu, fc 10"), kBatch);
  const std::shared_ptr<const Dataset> data = testing::random_dataset(kBatch, 1);
  std::vector<float> logits[2];
  int64_t kernels[2];
  for (const bool epilogue : {false, true}) {
    host_cuda::reset();
    if (!epilogue)
      host_cuda::fail_call("cublasLtMatmulAlgoGetHeuristic", CUBLAS_STATUS_NOT_SUPPORTED);
    CudaEngine engine(plan, 0, {});
    engine.set_state(State::kParameters, initial_parameters(plan, 1));
    host_cuda::reset_counters();
    logits[epilogue] = engine.predict(data->images);
    kernels[epilogue] = host_cuda::counters().kernels;
  }
  EXPECT_TRUE(testing::is_near(logits[0], logits[1], 1e-6));
  EXPECT_EQ(kernels[0], kernels[1] + 1);
}

std::map<std::string, std::string> step_details(const Engine& engine) {
  std::map<std::string, std::string> step;
  for (const Detail& detail : engine.describe().details) {
    if (detail.group == "step") step[detail.name] = std::get<std::string>(detail.value);
  }
  return step;
}

TEST_F(CudaOnHostTest, TheWayThroughAStepIsSaidWithItsReason) {
  const std::map<StepKind, std::string> reasons{
      {StepKind::kAuto, "the fused step has not run on a GPU yet"},
      {StepKind::kLayers, "asked for, by --step or by the run that is resumed"}};
  for (const auto& [kind, reason] : reasons) {
    const CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {.step = kind});
    EXPECT_EQ(
        engine.description(),
        "CUDA, stand-in for CUDA on the host, graphs of 32 steps, layer by layer (" + reason + ")");
    EXPECT_EQ(step_details(engine),
              (std::map<std::string, std::string>{{"way", "layers"}, {"reason", reason}}));
  }
}

TEST_F(CudaOnHostTest, AFusedStepThatAPlanDoesNotHaveIsRefusedWithTheReason) {
  const Plan plan = make_plan(parse_model("conv 3x5 stride 2, fc 10"), kBatch);
  auto fused = [&] { CudaEngine(plan, 0, {.step = StepKind::kFused}); };
  EXPECT_THAT(testing::error_of<InputError>(fused),
              ::testing::MatchesRegex("--step fused: .+; take --step layers or auto"));
}

// The stand-in ranks algorithms as cuDNN does, which puts Winograd first for such kernels.
constexpr const char* kTwoConvolutions = "conv 2x5 pad 2, relu, maxpool 2, conv 3x5, fc 10";

std::map<std::string, std::string> algorithms(const Engine& engine, int batch) {
  std::map<std::string, std::string> chosen;
  for (const Detail& detail : engine.describe().details) {
    if (detail.group != "algorithms at batch " + std::to_string(batch)) continue;
    chosen[detail.name] = std::get<std::string>(detail.value);
  }
  return chosen;
}

TEST_F(CudaOnHostTest, DirectSumsAreChosenBeforeWinograd) {
  const Plan plan = make_plan(parse_model(kTwoConvolutions), kBatch);
  const std::map<std::string, std::string> expected{
      {"conv1 forward", "IMPLICIT_PRECOMP_GEMM"}, {"conv1 backward weights", "ALGO_1"},
      {"conv2 forward", "IMPLICIT_PRECOMP_GEMM"}, {"conv2 backward weights", "ALGO_1"},
      {"conv2 backward input", "ALGO_1"},         {"fc1 forward", "cublasLt BIAS"}};
  EXPECT_EQ(algorithms(CudaEngine(plan, 0, {}), kBatch), expected);
  const auto fastest = algorithms(CudaEngine(plan, 0, {.deterministic = false}), kBatch);
  EXPECT_EQ(fastest.at("conv1 forward"), "WINOGRAD_NONFUSED");
  EXPECT_EQ(fastest.at("conv1 backward weights"), "ALGO_0");
}

TEST_F(CudaOnHostTest, AnAlgorithmThatIsRefusedGivesWayToTheNext) {
  const Plan plan = make_plan(parse_model(kTwoConvolutions), kBatch);
  const std::map<std::string, std::string> directions{
      {"cudnnConvolutionForward", "conv1 forward"},
      {"cudnnConvolutionBackwardFilter", "conv1 backward weights"},
      {"cudnnConvolutionBackwardData", "conv2 backward input"}};
  for (const auto& [call, direction] : directions) {
    host_cuda::reset();
    host_cuda::fail_call(call, CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH);
    CudaEngine engine(plan, 0, {});
    const std::string chosen = algorithms(engine, kBatch).at(direction);
    EXPECT_EQ(chosen, call == "cudnnConvolutionForward" ? "IMPLICIT_GEMM" : "WINOGRAD_NONFUSED");
    engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
    EXPECT_EQ(testing::train_steps(engine, 1, 0, 2).size(), 2u);
  }
}

// TF32 rounds factors to 10 bits where an algorithm takes tensor cores; one that has none stays
// exact.
TEST_F(CudaOnHostTest, Tf32TakesTheAlgorithmsOwnMath) {
  const Plan plan = make_plan(parse_model("conv 10x28"), kBatch);
  const auto data = testing::random_dataset(kBatch, 1);
  const auto logits = [&](bool tf32, bool without_tensor_cores) {
    host_cuda::reset();
    if (without_tensor_cores) {
      host_cuda::fail_call("cudnnConvolutionForward", CUDNN_STATUS_NOT_SUPPORTED);
    }
    CudaEngine engine(plan, 0, {.tf32 = tf32});
    engine.set_state(State::kParameters, initial_parameters(plan, 1));
    return engine.predict(data->images);
  };
  const std::vector<float> exact = logits(false, true);
  EXPECT_FALSE(testing::is_near(logits(true, false), exact, 1e-5));
  EXPECT_TRUE(testing::is_near(logits(true, false), exact, 1e-2));
  EXPECT_EQ(logits(true, true), exact);
}

TEST_F(CudaOnHostTest, AFailureThatIsNoRefusalEndsTheChoice) {
  const Plan plan = make_plan(parse_model(kTwoConvolutions), kBatch);
  host_cuda::fail_call("cudnnConvolutionForward", CUDNN_STATUS_EXECUTION_FAILED);
  EXPECT_THROW(CudaEngine(plan, 0, {}), InputError);
}

TEST_F(CudaOnHostTest, TheFirstTrainedLayerNeedsNoInputGradient) {
  host_cuda::fail_call("cudnnGetConvolutionBackwardDataAlgorithm_v7", CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_NO_THROW(CudaEngine(make_plan(parse_model("relu, conv 2x5, fc 10"), kBatch), 0, {}));
  EXPECT_THROW(CudaEngine(make_plan(parse_model(kTwoConvolutions), kBatch), 0, {}), InputError);
}

TEST_F(CudaOnHostTest, AnErrorOfCudnnHasItsReason) {
  cudnnConvolutionDescriptor_t conv = nullptr;
  ASSERT_EQ(cudnnCreateConvolutionDescriptor(&conv), CUDNN_STATUS_SUCCESS);
  const cudnnStatus_t status = cudnnSetConvolution2dDescriptor(
      conv, -1, 0, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
  ASSERT_EQ(cudnnDestroyConvolutionDescriptor(conv), CUDNN_STATUS_SUCCESS);
  try {
    check(status, "cudnnSetConvolution2dDescriptor");
    FAIL() << "no error";
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(), HasSubstr("failed: CUDNN_STATUS_BAD_PARAM, "));
    EXPECT_THAT(error.what(), HasSubstr("a padding, stride or dilation (cuda_on_host_test.cpp:"));
  }
}

TEST_F(CudaOnHostTest, WithoutAStepThereIsNoDeviceTime) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {});
  EXPECT_THAT(engine.timing().seconds, IsEmpty());
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  testing::train_steps(engine, 1, 0, 1);
  EXPECT_TRUE(engine.timing().device_clock);
  EXPECT_THAT(engine.timing().seconds, ElementsAre(Ge(0)));
}

// What is uploaded from memory that goes at once is there all the same: the stand-in looks again at
// each wait.
TEST_F(CudaOnHostTest, UploadsOutliveWhatTheyRead) {
  const Plan plan = make_plan(parse_model("conv 2x5, bn, relu, fc 10"), kBatch);
  CudaEngine engine(plan, 0, {});
  const std::vector<float> expected = initial_parameters(plan, 3);
  engine.set_state(State::kParameters, std::vector<float>(expected));
  engine.set_state(State::kMomentum, std::vector<float>(plan.parameter_floats, 1));
  engine.set_state(State::kRunningStatistics, initial_buffers(plan));
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  EXPECT_EQ(engine.state(State::kParameters), expected);
  engine.train(1, 0, std::vector<StepRates>(2, {.lr = 0.1f}));
  EXPECT_EQ(engine.evaluate(Split::kHeldOut).count, kTestCount);
}

// cuDNN sums the gradients of a batch normalisation itself.
TEST_F(CudaOnHostTest, BatchNormalisationTakesNoBiasScratch) {
  const auto scratch = [](const char* text) {
    const CudaEngine engine(make_plan(parse_model(text), 64), 0, {});
    int64_t bytes = -1;
    for (const Detail& detail : engine.describe().details) {
      if (detail.name == "bias partials") bytes = std::get<int64_t>(detail.value);
    }
    return bytes;
  };
  EXPECT_GE(scratch("fc 10"), 0);
  EXPECT_EQ(scratch("conv 1x1, bn, bn, fc 10"), scratch("conv 1x1, fc 10"));
  EXPECT_EQ(scratch("bn, fc 10"), scratch("fc 10"));
}

TEST_F(CudaOnHostTest, AnEvaluationsBatchIsItsOwn) {
  const Plan plan = make_plan(parse_model(kTwoConvolutions), kBatch);
  const auto test = testing::random_dataset(kTestCount, 2);
  std::optional<Metrics> expected;
  std::vector<float> logits;
  for (const int batch : {1, kBatch, 20, kTestCount, 1000}) {
    CudaEngine engine(plan, 0, {.evaluation_batch = batch});
    engine.load(testing::random_dataset(kTrainCount, 1), test);
    engine.set_state(State::kParameters, initial_parameters(plan, 4));
    host_cuda::reset_counters();
    const Metrics metrics = engine.evaluate(Split::kHeldOut);
    const int batches = steps_per_epoch(kTestCount, std::max(batch, kBatch));
    EXPECT_EQ(host_cuda::counters().library_calls, 4 * batches) << "2 convolutions, pool, fc";
    const std::vector<float> predicted = engine.predict(test->images);
    if (!expected) {
      expected = metrics;
      logits = predicted;
    }
    EXPECT_EQ(metrics.correct, expected->correct);
    EXPECT_EQ(metrics.count, kTestCount);
    EXPECT_TRUE(std::abs(metrics.loss() - expected->loss()) <= 1e-6 * expected->loss()) << batch;
    EXPECT_TRUE(testing::is_near(predicted, logits, 1e-6)) << batch;
  }
}

TEST_F(CudaOnHostTest, ARefusedLayerIsNamed) {
  constexpr int kOfConv1 = 2;  // forward, and backward to its weights
  host_cuda::fail_call("cudnnSetConvolution2dDescriptor", CUDNN_STATUS_NOT_SUPPORTED, kOfConv1);
  try {
    CudaEngine(make_plan(lenet5(), kBatch), 0, {});
    FAIL() << "no error";
  } catch (const InputError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("no layer conv2 at batch 16 on this GPU: cudnnSetConvolution2dDescriptor"),
              std::string::npos)
        << what;
    EXPECT_NE(what.find("--device cpu"), std::string::npos) << what;
  }
}

std::string reason(int device) {
  const Plan plan = make_plan(custom_mlp(), kBatch);
  const EngineOrReason answer = digitron_cuda_module.make_engine(plan, device, {});
  const auto* unavailable = std::get_if<Unavailable>(&answer);
  return unavailable ? unavailable->reason : "available";
}

TEST_F(CudaOnHostTest, DevicesAreListedOrTheReasonIs) {
  const std::vector<DeviceReport> devices = digitron_cuda_module.devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0].name, "cuda:0");
  EXPECT_TRUE(devices[0].available);
  EXPECT_NE(devices[0].description.find("compute capability 9.0"), std::string::npos);
  EXPECT_EQ(reason(0), "available");
  EXPECT_NE(reason(9).find("1 GPU, "), std::string::npos) << reason(9);

  host_cuda::set_compute_capability(6, 1);
  EXPECT_NE(reason(0).find("6.1, is too old: this build is for 7.5"), std::string::npos);
  host_cuda::set_driver_version(12040);
  EXPECT_NE(reason(0).find("too old: it is for CUDA 12.4"), std::string::npos) << reason(0);
  host_cuda::reset();
  host_cuda::set_device_count(0);
  EXPECT_NE(reason(0).find("finds no GPU"), std::string::npos) << reason(0);
  EXPECT_FALSE(digitron_cuda_module.devices()[0].available);
}

TEST_F(CudaOnHostTest, TheProfilerIsStartedAndStopped) {
  digitron_cuda_module.start_profiler();
  EXPECT_TRUE(host_cuda::profiler_runs());
  digitron_cuda_module.stop_profiler();
  EXPECT_FALSE(host_cuda::profiler_runs());
}

}  // namespace
}  // namespace digitron
