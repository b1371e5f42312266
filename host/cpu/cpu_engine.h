// The CPU engine. A step has two phases with a barrier after each: threads take blocks of samples
// through the whole network and back, meeting at each batch normalisation, whose statistics need
// all of the batch; then they take slices of the parameters, make their gradients over the whole
// batch and update them. Which thread does what never changes a sum's order, so the result does not
// depend on the number of threads.
#pragma once

#include <algorithm>

#include "host/core/devices.h"
#include "host/cpu/cpu_threads.h"
#include "host/cpu/network_pass.h"
#include "host/shared/permutation.h"

namespace digitron {

inline int blocks_of(int samples) {
  return (samples + kLanes - 1) / kLanes;
}

// The most threads that so many samples have work for, 1 or more: each takes groups of blocks.
inline int useful_threads(const CpuLayout& layout, int samples) {
  return std::max(1, (blocks_of(samples) + layout.group_blocks - 1) / layout.group_blocks);
}

class CpuEngine final : public Engine {
 public:
  // Throws MachineError when the system refuses a number of threads.
  CpuEngine(const Plan& plan, const ThreadRequest& threads, const CpuKernels& kernels);

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
  Timing timing() const override { return timing_; }
  Profile profile(int epoch, int first, std::span<const StepRates> rates, bool trace) override;

 private:
  template <class F>
  void for_each_group(Worker worker, std::span<const BlockSamples> samples,
                      const BatchMemory* batch, const F& f);
  void take_samples(Worker worker, int epoch, int begin, int count, const Permutation& permutation);
  // Trains; recorders: one a thread, or none.
  std::vector<Metrics> run_steps(int epoch, int first, std::span<const StepRates> rates,
                                 std::span<StepRecorder> recorders);
  // Below, recorder is null in steps that nobody profiles.
  void forward_backward(Worker worker, const TrainingStep& step, StepRecorder* recorder);
  void update(Worker worker, int count, const StepRates& rates, StepRecorder* recorder);
  void meet(StepRecorder* recorder);
  StagePass stage_pass(Worker worker, const float* parameters, const TrainingStep* step) const;
  // Null for one that the optimiser does not use.
  float* buffer(State which) const { return state_[static_cast<size_t>(which)].get(); }
  // The parameters that evaluate and predict use.
  const float* evaluated_parameters() const { return buffer(evaluated_state(training_.optimizer)); }
  Block block_at(int place, int index, const BlockSamples& samples) const;
  template <class Take>
  void forward_blocks(int count, const uint8_t* images, const uint8_t* labels, const Take& take);
  Metrics sum_losses(int count) const;

  Plan plan_;
  CpuLayout layout_;
  const CpuKernels& kernels_;
  CpuThreads threads_;
  Training training_;
  std::shared_ptr<const Dataset> train_, held_out_;

  AlignedArray<float> state_[kStateCount];  // by State
  AlignedArray<float> gradients_;
  std::vector<ThreadMemory> memory_;  // one a thread
  BlockMemory block_memory_;          // group_blocks a thread, or one a block: see MemorySizes
  BatchMemory batch_;
  std::vector<BlockSamples> samples_;  // of each block of the batch
  AlignedArray<uint8_t> augmented_;    // (batch, 28, 28), where samples_ points; null without
  std::vector<BlockLosses> losses_;
  Timing timing_;
};

}  // namespace digitron
