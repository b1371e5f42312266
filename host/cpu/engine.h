// The CPU engine. A step has two phases with a barrier after each: threads take blocks of samples
// through the whole network and back, meeting at each batch normalisation, whose statistics need
// all of the batch; then they take slices of the parameters, make their gradients over the whole
// batch and update them. Which thread does what never changes a sum's order, so the result does not
// depend on the number of threads.
#pragma once

#include "host/cpu/block.h"
#include "host/cpu/thread_team.h"
#include "host/engine.h"

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

 private:
  template <class F>
  void for_each_group(int thread, int blocks, const F& f) const;
  template <class F>
  void for_each_group(BlockPass& pass, int thread, int count, const F& f);
  void forward_backward(int thread, const TrainingStep& step, bool update);
  void meet_forward(int thread, const TrainingStep& step, const Stage& stage, bool update);
  void make_gradients(int thread, int blocks, bool update);
  void linear_gradients(const Stage& stage, int thread, int blocks, bool update);
  const float* gather_strip(int thread, int first, int count, int first_pixel, int row_floats);
  void sum_partials(size_t offset, const float* parts, Range range, int blocks);
  SgdStep sgd_step(size_t offset) const;
  void sgd(size_t offset, Range range);
  template <class Take>
  void forward_blocks(int count, const uint8_t* images, const uint8_t* labels, const Take& take);
  Metrics sum_losses(int count) const;

  Plan plan_;
  CpuLayout layout_;
  const CpuKernels& kernels_;
  Sgd sgd_;
  Order order_;
  std::shared_ptr<const Dataset> train_, test_;

  AlignedArray<float> parameters_, momentum_, gradients_, buffers_;
  std::vector<ThreadMemory> memory_;  // one a thread
  PassMemory pass_memory_;            // group_blocks a thread, or one a block: see CpuLayout
  BatchMemory batch_;
  std::vector<BlockSamples> samples_;  // of each block of the batch
  std::vector<BlockLosses> losses_;
  ThreadTeam team_;
};

}  // namespace digitron
