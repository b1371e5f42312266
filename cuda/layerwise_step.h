// The step that runs any plan: cuDNN, cuBLAS and our kernels, one layer after the other.
#pragma once

#include <map>
#include <utility>

#include "cuda/network.h"
#include "cuda/step.h"

namespace digitron {

class LayerwiseStep final : public Step {
 public:
  // Context and plan must outlive it. Waits. Throws MachineError, or InputError for a plan that
  // cuDNN refuses.
  LayerwiseStep(const Context& context, const Plan& plan);

  std::string description() const override { return "layer by layer"; }
  std::vector<Detail> details() const override;
  std::vector<Slice> slices() const override { return memory_.slices(); }
  int evaluation_batch(int count) const override;
  void prepare(int n, bool trains) override { network(n, trains); }
  void train(const StepData& data, int n, int steps) override;
  void evaluate(const StepData& data, int n, int steps) override;
  const float* forward(const StepData& data, int n) override;
  Profile profile(const StepData& data, int n, int steps, bool trace) override;

 private:
  // events: null, or marked at the end of each phase.
  void enqueue_step(const StepData& data, const Network& network, int n, PhaseEvents* events) const;
  const Network& network(int n, bool trains);
  void settle(Network& network) const;
  Tensors tensors(const StepData& data) const;
  void gather_batch(const StepData& data, int n, const Augmentation& augmentation) const;
  void loss(int n, float smoothing) const;
  void update(const StepData& data) const;
  void advance_step(const StepData& data, int n) const;

  cudaStream_t stream() const { return context_.stream.get(); }

  const Context& context_;
  const Plan& plan_;
  const Rows rows_;

  Arena memory_;
  Tensors tensors_;            // but what a call's StepData gives
  uint8_t* labels_ = nullptr;  // (rows_.evaluated), of the step
  LossSums* loss_partials_ = nullptr;

  std::map<std::pair<int, bool>, Network> networks_;  // by batch size, and whether it trains
};

}  // namespace digitron
