// The real CudaEngine, its unchanged sources compiled against the stand-in for CUDA, against
// ReferenceEngine<double>: gradients, training, and what must be equal to the last bit.
#include "cuda/cuda_engine.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cuda/module.h"
#include "host/reference_engine.h"
#include "host_cuda.h"
#include "tests/engine_testing.h"
#include "tests/random_model.h"

namespace digitron {
namespace {

using testing::is_near;
using testing::Random;

constexpr double kTolerance = 1e-5;
constexpr double kSlack = 5e-7;  // of the whole gradient: a bias's may be a sum that cancels

constexpr CudaOptions kEager{.graph = false};

double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

void expect_gradients(const Model& model, int batch, const std::vector<int>& counts,
                      uint32_t seed) {
  const Plan plan = make_plan(model, batch);
  Random random(seed);
  const std::vector<float> parameters = testing::varied_parameters(plan, seed);
  ReferenceEngine<double> reference(plan);
  reference.set_parameters(parameters);
  CudaEngine engine(plan, 0, {});
  engine.set_parameters(parameters);
  for (const int count : counts) {
    const Dataset data = testing::smooth_samples(plan, parameters, count, random);
    reference.compute_gradients(data.images, data.labels);
    const std::vector<double>& exact = reference.exact_gradients();
    const std::vector<float> gradients = engine.gradients(data.images, data.labels);
    for (const Parameter& p : plan.parameters) {
      EXPECT_TRUE(is_near(std::span(gradients).subspan(p.offset, p.count),
                          std::span(exact).subspan(p.offset, p.count), kTolerance,
                          kSlack * norm(exact)))
          << p.name << " of '" << to_text(model) << "', " << count << " samples";
    }
    EXPECT_EQ(engine.buffers(), initial_buffers(plan)) << to_text(model);
    EXPECT_TRUE(is_near(engine.predict(data.images), reference.predict(data.images), kTolerance))
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

constexpr int kBatch = 16;
constexpr int kTrainCount = 86;  // 5 steps of 16 and one of 6
constexpr int kTestCount = 37;
constexpr int kEpochs = 2;  // the first loads kernels, the second records and replays

template <class E>
Outcome train(E&& engine, const std::vector<int>& slices = {}) {
  engine.load(testing::random_dataset(kTrainCount, 11), testing::random_dataset(kTestCount, 12));
  engine.set_parameters(initial_parameters(engine.plan(), 13));
  engine.set_momentum(std::vector<float>(engine.plan().parameter_floats));
  engine.set_buffers(initial_buffers(engine.plan()));
  engine.set_optimizer({0.02f, 0.9f, 0.001f});
  engine.set_order({14, true});
  Outcome run;
  const int last = steps_per_epoch(kTrainCount, kBatch);
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    int begin = 0;
    for (size_t i = 0; begin < last; ++i) {
      const int end = i < slices.size() ? std::min(last, begin + slices[i]) : last;
      for (const Metrics& step : engine.train(epoch, begin, end)) run.steps.push_back(step);
      begin = end;
    }
    run.test = engine.evaluate(Split::kTest);
  }
  run.parameters = engine.parameters();
  run.momentum = engine.momentum();
  run.buffers = engine.buffers();
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

class CudaEngineTest : public ::testing::Test {
 protected:
  void SetUp() override { host_cuda::reset(); }
  void TearDown() override {
    if (!lost_) {
      EXPECT_EQ(host_cuda::live_objects(), 0u);
    }
  }

  bool lost_ = false;  // a lost device takes nothing back
};

class CudaTraining : public CudaEngineTest, public ::testing::WithParamInterface<const char*> {
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

TEST_F(CudaEngineTest, BatchesWithoutVarianceAreRefused) {
  CudaEngine engine(make_plan(parse_model("conv 10x28, bn"), 3), 0, {});
  engine.load(testing::random_dataset(7, 1), testing::random_dataset(4, 2));
  EXPECT_THROW(engine.train(1, 0, 1), InputError);
  const auto data = testing::random_dataset(1, 3);
  EXPECT_THROW(engine.gradients(data->images, data->labels), InputError);
  EXPECT_EQ(engine.evaluate(Split::kTest).count, 4);
}

TEST_F(CudaEngineTest, GradientsOfUnusualModels) {
  for (const char* text :
       {"fc 10", "relu, fc 10", "relu, relu, fc 7, relu, relu, fc 10, relu", "conv 10x28",
        "maxpool 7, conv 10x4", "conv 10x5, maxpool 24", "conv 3x5, maxpool 2, relu, fc 10",
        "conv 2x5 pad 2, maxpool 3 stride 1, relu, conv 3x3 pad 1, fc 10",
        "relu, conv 4x3 stride 3, relu, maxpool 2 stride 3, fc 10"}) {
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
  const Outcome run = train(CudaEngine(plan_, 0, {.steps_per_graph = 2}));
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
  const Outcome eager = train(CudaEngine(plan_, 0, kEager));
  EXPECT_EQ(host_cuda::counters().graph_launches, 0);
  for (const int steps : {1, 2, 100}) {
    expect_same_bits(train(CudaEngine(plan_, 0, {.steps_per_graph = steps})), eager);
  }
  EXPECT_GT(host_cuda::counters().graph_launches, 0);
}

TEST_P(CudaTraining, TwoRunsAreEqualAndSlicesDoNotMatter) {
  const Outcome once = train(CudaEngine(plan_, 0, {}));
  host_cuda::set_order(host_cuda::Order::kScrambled, 7);
  expect_same_bits(train(CudaEngine(plan_, 0, {})), once);
  expect_same_bits(train(CudaEngine(plan_, 0, {}), {1, 2, 4}), once);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaTraining,
                         ::testing::Values("custom-mlp", "lenet5",
                                           "conv 3x5 stride 2, relu, bn, maxpool 2, dropout 0.3, "
                                           "fc 20, relu, dropout 0.5, fc 10",
                                           "conv 3x5 stride 2, maxpool 3 stride 2, relu, fc 10"));

TEST_F(CudaEngineTest, InsideAnEpochNothingIsAllocatedAndTheHostWaitsOnce) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {.steps_per_graph = 2});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  const int steps = steps_per_epoch(kTrainCount, kBatch);
  engine.train(1, 0, steps);
  engine.train(2, 0, steps);
  host_cuda::reset_counters();
  engine.train(3, 0, steps);
  const host_cuda::Counters counters = host_cuda::counters();
  EXPECT_EQ(counters.allocations, 0);
  EXPECT_EQ(counters.graph_launches, 4);  // two of 2 steps, one of 1, and the ragged one
  EXPECT_EQ(counters.copies, 2);          // the state in, the metrics out
  EXPECT_EQ(counters.synchronizations, 2);
}

TEST_F(CudaEngineTest, OutOfMemorySaysHowMuch) {
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

TEST_F(CudaEngineTest, AGpuLostInTheMiddleIsAnError) {
  CudaEngine engine(make_plan(custom_mlp(), kBatch), 0, {});
  engine.load(testing::random_dataset(kTrainCount, 1), testing::random_dataset(kTestCount, 2));
  engine.train(1, 0, 2);
  host_cuda::fail_call("cudaStreamSynchronize", cudaErrorLaunchFailure);
  lost_ = true;
  try {
    engine.train(1, 2, 4);
    FAIL() << "no error";
  } catch (const MachineError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("cudaStreamSynchronize failed: "), std::string::npos) << what;
    EXPECT_NE(what.find("cuda_engine.cpp:"), std::string::npos) << what;
    EXPECT_NE(what.find("use --device cpu"), std::string::npos) << what;
  }
  EXPECT_THROW(engine.parameters(), MachineError);
}

TEST_F(CudaEngineTest, ARefusedLayerIsNamed) {
  host_cuda::fail_call("cudnnSetConvolution2dDescriptor", CUDNN_STATUS_NOT_SUPPORTED, 1);
  try {
    CudaEngine(make_plan(lenet5(), kBatch), 0, {});
    FAIL() << "no error";
  } catch (const InputError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("cuDNN refuses layer conv2 at batch 16"), std::string::npos) << what;
    EXPECT_NE(what.find("--device cpu"), std::string::npos) << what;
  }
}

std::string reason(int device) {
  const Plan plan = make_plan(custom_mlp(), kBatch);
  const EngineOrReason answer = digitron_cuda_module.make_engine(plan, device, {});
  const auto* unavailable = std::get_if<Unavailable>(&answer);
  return unavailable ? unavailable->reason : "available";
}

TEST_F(CudaEngineTest, DevicesAreListedOrTheReasonIs) {
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

}  // namespace
}  // namespace digitron
