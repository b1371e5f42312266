// The engine on a GPU: cuDNN, cuBLAS and our kernels, several whole steps in one graph launch.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/arena.h"
#include "cuda/context.h"
#include "cuda/network.h"
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
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) override;
  void set_parameters(std::span<const float> parameters) override;
  std::vector<float> parameters() const override;
  void set_momentum(std::span<const float> momentum) override;
  std::vector<float> momentum() const override;
  void set_buffers(std::span<const float> buffers) override;
  std::vector<float> buffers() const override;
  void set_optimizer(const Sgd& sgd) override { sgd_ = sgd; }
  void set_order(const Order& order) override { order_ = order; }
  std::vector<Metrics> train(int epoch, int first, int last) override;
  Metrics evaluate(Split split) override;
  std::vector<float> predict(std::span<const uint8_t> images) override;
  std::vector<float> gradients(std::span<const uint8_t> images,
                               std::span<const uint8_t> labels) override;

  // Device memory by name: the model's, then the data sets'.
  std::vector<Slice> memory() const;

 private:
  // A data set on the device.
  struct Samples {
    uint8_t* images = nullptr;  // (count, 28, 28)
    uint8_t* labels = nullptr;  // (count)
    int count = 0;
  };
  // What a recorded step depends on: samples, batch size, number of steps, whether it trains.
  using GraphKey = std::tuple<const Samples*, int, int, bool>;

  void start(const Permutation& order, int first_sample, uint32_t step);
  std::vector<Metrics> run(const Samples& samples, const Permutation& order, int first, int last,
                           int epoch);
  void run_steps(const Samples& samples, int n, int steps, bool update);
  void gather_batch(const Samples& samples, int n);
  void loss(int n);
  void update();
  void advance_step(int n);
  const Network& network(int n);

  template <class T>
  void upload(T* device, std::span<const T> host);
  template <class T>
  std::vector<T> download(const T* device, size_t count) const;

  Plan plan_;
  Context context_;
  std::string description_;
  Sgd sgd_;
  Order order_;

  Arena memory_;
  Tensors tensors_;
  float* momentum_ = nullptr;  // flat, the plan's layout
  uint8_t* labels_ = nullptr;  // (batch), of the step
  LossSums* loss_partials_ = nullptr;
  Samples staged_;  // one batch from the host, for predict and gradients

  Arena data_memory_;
  Samples train_, test_;
  LossSums* metrics_ = nullptr;  // one a step, for the longest epoch

  std::map<int, Network> networks_;  // by batch size
  std::map<GraphKey, StepGraph> graphs_;
};

}  // namespace digitron
