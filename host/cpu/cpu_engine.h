// The CPU engine. A step has two phases with a barrier after each: threads take blocks of samples
// through the whole network and back, meeting at each batch normalisation, whose statistics need
// all of the batch; then they take slices of the parameters, make their gradients over the whole
// batch and update them. Which thread does what never changes a sum's order, so the result does not
// depend on the number of threads.
#pragma once

#include "host/core/devices.h"
#include "host/cpu/block.h"
#include "host/cpu/thread_team.h"
#include "host/shared/permutation.h"

namespace digitron {

// Of rows, columns or parameters: [first, last).
struct Range {
  int first;
  int last;
};

// The part of `count` things that falls to one thread of several.
inline Range share(int count, int thread, int threads) {
  return {static_cast<int>(int64_t{count} * thread / threads),
          static_cast<int>(int64_t{count} * (thread + 1) / threads)};
}

class CpuEngine final : public Engine {
 public:
  CpuEngine(const Plan& plan, int threads, const CpuKernels& kernels);

  const Plan& plan() const override { return plan_; }
  std::string description() const override;
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> held_out) override;
  void configure(const Training& training) override;
  const Training& training() const override { return training_; }
  void set_state(State which, std::span<const float> values) override;
  std::vector<float> state(State which) const override;
  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override;
  Metrics evaluate(Split split) override;
  std::vector<float> predict(std::span<const uint8_t> images) override;

 private:
  template <class F>
  void for_each_group(int thread, int blocks, const F& f) const;
  template <class F>
  void for_each_group(BlockPass& pass, int thread, int count, const F& f);
  void take_samples(int thread, int epoch, int begin, int count, const Permutation& permutation);
  void forward_backward(int thread, const TrainingStep& step);
  void meet_forward(int thread, const TrainingStep& step, const Stage& stage);
  void make_gradients(int thread, int blocks, const StepRates& rates);
  void linear_gradients(const Stage& stage, int thread, int blocks, const StepRates& rates);
  const float* gather_strip(int thread, int first, int count, int first_pixel, int row_floats);
  void sum_partials(size_t offset, const float* parts, Range range, int blocks);
  bool plain_sgd() const;
  SgdStep sgd_step(size_t offset, const StepRates& rates) const;
  void update(size_t offset, Range range, const StepRates& rates);
  // Null for one that the optimiser does not use.
  float* buffer(State which) const { return state_[static_cast<size_t>(which)].get(); }
  // The parameters that evaluate and predict use.
  const float* evaluated_parameters() const { return buffer(evaluated_state(training_.optimizer)); }
  template <class Take>
  void forward_blocks(int count, const uint8_t* images, const uint8_t* labels, const Take& take);
  Metrics sum_losses(int count) const;

  Plan plan_;
  CpuLayout layout_;
  const CpuKernels& kernels_;
  Training training_;
  std::shared_ptr<const Dataset> train_, held_out_;

  AlignedArray<float> state_[kStateCount];  // by State
  AlignedArray<float> gradients_;
  std::vector<ThreadMemory> memory_;  // one a thread
  PassMemory pass_memory_;            // group_blocks a thread, or one a block: see CpuLayout
  BatchMemory batch_;
  std::vector<BlockSamples> samples_;  // of each block of the batch
  AlignedArray<uint8_t> augmented_;    // (batch, 28, 28), where samples_ points; null without
  std::vector<BlockLosses> losses_;
  ThreadTeam team_;
};

}  // namespace digitron
