// The engine on a GPU: the data sets and what a training has made so far; several whole steps in
// one graph launch.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/arena.h"
#include "cuda/context.h"
#include "cuda/engine_memory.h"
#include "cuda/make_step.h"
#include "cuda/nvtx.h"
#include "cuda/step_graph.h"
#include "host/core/devices.h"
#include "kernels/step_state.h"

namespace digitron {

// One thread at a time may use an engine, and always the same: CUDA's present device is a thread's.
class CudaEngine final : public Engine {
 public:
  // device: an index that cudaGetDeviceCount admits. Throws MachineError, or InputError for a plan
  // that cuDNN refuses or that has no step of the kind which is asked for.
  CudaEngine(const Plan& plan, int device, const CudaOptions& options);

  const Plan& plan() const override { return plan_; }
  EngineDescription describe() const override;
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> held_out) override;
  void configure(const Training& training) override;
  const Training& training() const override { return training_; }
  void set_state(State which, std::span<const float> values) override;
  std::vector<float> state(State which) const override;
  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override;
  Metrics evaluate(Split split) override;
  std::vector<float> predict(std::span<const uint8_t> images) override;
  Timing timing() const override;
  Profile profile(int epoch, int first, std::span<const StepRates> rates, bool trace) override;

 private:
  // What a recorded step depends on: samples, batch size, number of steps, whether it trains.
  using GraphKey = std::tuple<const DeviceSamples*, int, int, bool>;

  std::vector<Detail> details() const;
  // Null for one that the optimiser does not use.
  float* buffer(State which) const;
  // What steps over `samples` work on; `parameters`: the ones that they use.
  StepData step_data(const DeviceSamples& samples, State parameters) const;
  // Waits for all that is on the stream: what uploads read may go only then.
  void wait() const;
  // Makes ready for an epoch's steps from `first` on, one for each of the rates.
  void start_training(int epoch, int first, std::span<const StepRates> rates);
  void start(const Permutation& order, int epoch, int first_sample, uint32_t step);
  std::vector<Metrics> run(const DeviceSamples& samples, int first, int last, int batch,
                           bool training);
  NvtxRange step_range(int step, int steps, bool training) const;
  void run_steps(const DeviceSamples& samples, int n, int steps, bool training);

  cudaStream_t stream() const { return context_.stream.get(); }

  using Event = Unique<cudaEvent_t, cudaEventDestroy>;

  Plan plan_;
  Context context_;
  int device_;
  std::string description_;  // of all but the step
  Training training_;

  Event begin_, end_;   // of the steps of the newest call
  bool timed_ = false;  // there has been one

  // What uploads still read when the call that made them goes on.
  StepState sent_state_{Permutation(0, 0, 1, false), 0, 0, 0, 0, 0};
  std::vector<StepRates> sent_rates_;

  ChosenStep chosen_;

  Arena memory_;
  float* parameters_ = nullptr;          // flat, in the plan's layout
  float* running_statistics_ = nullptr;  // likewise
  StepState* state_ = nullptr;           // what changes from step to step
  DeviceSamples staged_;                 // images from the host, for predict: its largest batch

  OptimizerMemory optimizer_memory_;

  DataMemory data_;

  std::map<GraphKey, StepGraph> graphs_;

  EpochRange epoch_range_;
  uint64_t steps_before_ = 0;  // in the epochs before the one that is trained
};

}  // namespace digitron
