// Replays a training that PyTorch recorded; tests/data/README.md says how it was made.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "host/cpu/cpu_engine.h"
#include "host/data/idx.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "host/reference/reference_engine.h"
#include "tests/cpu_testing.h"
#include "tests/data_testing.h"
#include "tests/moved.h"

namespace digitron {
namespace {

constexpr double kLossTolerance = 0.002;
constexpr double kWeightTolerance = 0.02;  // of a tensor's norm

const std::filesystem::path kTrace =
    std::filesystem::path(testing::moved("DIGITRON_TEST_DATA", DIGITRON_TEST_DATA)) /
    "pytorch_trace";

class Trace {
 public:
  const Plan& plan() const { return plan_; }

  void expect_replayed_by(Engine& engine) const {
    engine.load(data_, data_);
    engine.set_state(State::kParameters,
                     load_state(kTrace / "init.safetensors", engine.plan()).parameters);
    engine.configure({.optimizer = {.momentum = trace_.at("momentum"),
                                    .weight_decay = trace_.at("weight_decay")},
                      .shuffle = false});
    const std::vector<double> losses = trace_.at("losses");
    const std::vector<Metrics> steps =
        testing::train_steps(engine, 1, 0, static_cast<int>(losses.size()), trace_.at("lr"));
    ASSERT_EQ(steps.size(), losses.size());
    Metrics epoch;
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_TRUE(relative_error(steps[i].loss(), losses[i]) <= kLossTolerance) << "step " << i + 1;
      epoch += steps[i];
    }
    EXPECT_EQ(epoch.count, data_->count());
    EXPECT_TRUE(relative_error(epoch.loss(), trace_.at("mean_loss")) <= kLossTolerance);
    expect_final_weights(engine);
  }

 private:
  static double relative_error(double value, double reference) {
    return std::abs(value - reference) / std::abs(reference);
  }

  // fc1.weight, three quarters of the model, is not in the file.
  static void expect_final_weights(const Engine& engine) {
    SafetensorsFile final_weights(kTrace / "final.safetensors");
    EXPECT_EQ(final_weights.tensors().size(), engine.plan().parameters.size() - 1);
    const std::vector<float> weights = engine.state(State::kParameters);
    for (const TensorInfo& tensor : final_weights.tensors()) {
      const Parameter& parameter = find(engine.plan(), tensor.name);
      std::vector<float> expected(parameter.count);
      final_weights.read(tensor, expected);
      double difference = 0, norm = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        difference += std::pow(double{weights[parameter.offset + i]} - expected[i], 2);
        norm += std::pow(double{expected[i]}, 2);
      }
      EXPECT_TRUE(std::sqrt(difference / norm) <= kWeightTolerance) << tensor.name;
    }
  }

  static const Parameter& find(const Plan& plan, const std::string& name) {
    for (const Parameter& parameter : plan.parameters)
      if (parameter.name == name) return parameter;
    throw std::runtime_error("no " + name + " in the plan");
  }

  nlohmann::json trace_ = nlohmann::json::parse(testing::read_file(kTrace / "losses.json"));
  Plan plan_ = make_plan(find_model(trace_.at("model").get<std::string>()), trace_.at("batch"));
  std::shared_ptr<const Dataset> data_ = std::make_shared<Dataset>(
      read_idx_dataset(kTrace / "train-images-idx3-ubyte.gz", kTrace / "train-labels-idx1-ubyte.gz")
          .data);
};

TEST(PytorchTraceTest, TheReferenceEngineAgrees) {
  const Trace trace;
  ReferenceEngine<double> engine(trace.plan());
  trace.expect_replayed_by(engine);
}

class PytorchTraceCpuTest : public testing::CpuKernelsTest {};

TEST_P(PytorchTraceCpuTest, TheCpuEngineAgrees) {
  const Trace trace;
  CpuEngine engine(trace.plan(), 2, kernels_);
  trace.expect_replayed_by(engine);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, PytorchTraceCpuTest,
                         ::testing::ValuesIn(runnable_cpu_kernels()), testing::instruction_set);

}  // namespace
}  // namespace digitron
