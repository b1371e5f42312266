// The engine on a GPU: cuDNN, cuBLAS and our kernels, several whole steps in one graph launch.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cuda/arena.h"
#include "cuda/context.h"
#include "cuda/data_memory.h"
#include "cuda/network.h"
#include "cuda/optimizer_memory.h"
#include "cuda/step_graph.h"
#include "host/engine.h"
#include "kernels/step_state.h"

namespace digitron {

// One thread at a time may use an engine, and always the same: CUDA's present device is a thread's.
class CudaEngine final : public Engine {
 public:
  // device: an index that cudaGetDeviceCount admits. Throws MachineError, or InputError for a plan
  // that cuDNN refuses.
  CudaEngine(const Plan& plan, int device, const CudaOptions& options);

  const Plan& plan() const override { return plan_; }
  std::string description() const override { return description_; }
  std::string precision() const override { return context_.options.tf32 ? "tf32" : "fp32"; }
  std::vector<Detail> details() const override;
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) override;
  void set_state(FlatState which, std::span<const float> values) override;
  std::vector<float> state(FlatState which) const override;
  void set_optimizer(const Optimizer& optimizer) override;
  const Optimizer& optimizer() const override { return optimizer_; }
  void set_buffers(std::span<const float> buffers) override;
  std::vector<float> buffers() const override;
  void set_order(const Order& order) override { order_ = order; }
  void set_augmentation(const Augmentation& limits) override;
  void set_label_smoothing(float smoothing) override;
  using Engine::train;
  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override;
  Metrics evaluate(Split split) override;
  double device_seconds() const override;
  std::vector<float> predict(std::span<const uint8_t> images) override;
  std::vector<float> gradients(std::span<const uint8_t> images,
                               std::span<const uint8_t> labels) override;

 private:
  // What a recorded step depends on: samples, batch size, number of steps, whether it trains.
  using GraphKey = std::tuple<const Samples*, int, int, bool>;

  float* flat(FlatState which) const;
  // The tensors with the parameters that evaluate and predict use.
  Tensors evaluated() const;
  // Waits for all that is on the stream: what uploads read may go only then.
  void wait() const;
  void start(const Permutation& order, int epoch, int first_sample, uint32_t step);
  std::vector<Metrics> run(const Samples& samples, int first, int last, int batch, bool training);
  void run_steps(const Samples& samples, int n, int steps, bool training);
  void gather_batch(const Samples& samples, int n, const Augmentation& augmentation);
  void loss(int n, float smoothing);
  void update();
  void advance_step(int n);
  const Network& network(int n, bool trains);

  cudaStream_t stream() const { return context_.stream.get(); }

  using Event = Unique<cudaEvent_t, cudaEventDestroy>;

  Plan plan_;
  Context context_;
  int device_;
  std::string description_;
  Optimizer optimizer_;
  Order order_;
  Augmentation augmentation_;
  float smoothing_ = 0;

  Event begin_, end_;   // of the steps of the newest call
  bool timed_ = false;  // there has been one

  // What uploads still read when the call that made them goes on.
  StepState sent_state_{Permutation(0, 0, 1, false), 0, 0, 0, 0, 0};
  std::vector<StepRates> sent_rates_;

  Arena memory_;
  Tensors tensors_;
  const Rows rows_;
  uint8_t* labels_ = nullptr;  // (rows_.evaluated), of the step
  LossSums* loss_partials_ = nullptr;
  Samples staged_;  // (rows_.evaluated) images from the host, for predict and gradients

  OptimizerMemory optimizer_memory_;

  DataMemory data_;

  std::map<std::pair<int, bool>, Network> networks_;  // by batch size, and whether it trains
  std::map<GraphKey, StepGraph> graphs_;
};

}  // namespace digitron
