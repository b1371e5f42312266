// The CPU engine. A step has two phases with a barrier after each: threads take blocks of samples
// through the whole network and back, meeting at each batch normalisation, whose statistics need
// all of the batch; then they take slices of the parameters, make their gradients over the whole
// batch and update them. Where the first layer is linear, its sums are shared by its weights, and
// each thread makes its own for the next step after the update. Which thread does what never
// changes a sum's order, so the result does not depend on the number of threads.
#pragma once

#include "host/core/devices.h"
#include "host/cpu/block_share.h"
#include "host/cpu/cpu_threads.h"
#include "host/cpu/network_pass.h"
#include "host/shared/permutation.h"

namespace digitron {

// What the engine will take at most, whatever it is configured with; a run takes as much as its
// parameters' states again to save them.
uint64_t cpu_engine_bytes(const Plan& plan, const ThreadRequest& threads);

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
  void for_each_group(Worker worker, std::span<const BlockSamples> samples, Range mine, const F& f);
  Block block_at(int place, const BatchMemory* batch, int index, const BlockSamples& samples) const;
  Block left_block(Worker worker, std::span<const BlockSamples> samples,
                   const BlockShare& mine) const;
  // How many samples a step of an epoch has, and those: looked up while the step before is made.
  int count_of(int step) const;
  std::span<BlockSamples> samples_of(int step);
  void take_samples(Worker worker, int epoch, int step, const Permutation& permutation);
  // Trains; recorders: one a thread, or none.
  std::vector<Metrics> run_steps(int epoch, int first, std::span<const StepRates> rates,
                                 std::span<StepRecorder> recorders);
  // Below, recorder is null in steps that nobody profiles.
  void forward_by_columns(Worker worker, std::span<const BlockSamples> samples,
                          const TrainingStep& step, StepRecorder* recorder);
  void forward_backward(Worker worker, std::span<const BlockSamples> samples,
                        const TrainingStep& step, StepRecorder* recorder);
  void update(Worker worker, std::span<const BlockSamples> samples, const StepRates& rates,
              StepRecorder* recorder);
  void meet(StepRecorder* recorder);
  StagePass stage_pass(Worker worker, const float* parameters, const TrainingStep* step,
                       StepRecorder* recorder) const;
  const LinearStage* ordered_stage(State which) const;
  // Null for one that the optimiser does not use.
  float* buffer(State which) const { return state_[static_cast<size_t>(which)].get(); }
  // The parameters that evaluate and predict use.
  const float* evaluated_parameters() const { return buffer(evaluated_state(training_.optimizer)); }
  template <class Take>
  void forward_blocks(int count, const uint8_t* images, const uint8_t* labels, const Take& take);
  Metrics sum_losses(int count) const;

  Plan plan_;
  PixelForm form_;
  CpuLayout layout_;
  const CpuKernels& kernels_;
  CpuThreads threads_;
  Training training_;
  std::shared_ptr<const Dataset> train_, held_out_;

  AlignedArray<float> state_[kStateCount];  // by State
  AlignedArray<float> gradients_;
  std::vector<ThreadMemory> memory_;  // one a thread
  BlockMemory block_memory_;          // of the threads and the crews; in part one a block
  BatchMemory batch_;
  std::vector<BlockSamples> samples_;  // of each block of two batches
  AlignedArray<uint8_t> augmented_;    // (2, batch, pixels), where samples_ points; null without
  std::vector<BlockLosses> losses_;
  Timing timing_;
  std::vector<Barrier> crew_barriers_;  // where crews meet, by crew_place
};

}  // namespace digitron
