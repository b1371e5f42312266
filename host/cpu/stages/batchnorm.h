// A batch normalisation, with the pooling and the ReLU after it. Training normalises with
// statistics of the whole batch, so all threads meet here on the way forward, when every block has
// left its moments, and again on the way back, when each has left its sums. Every thread then puts
// the blocks' values together for itself, in the blocks' order, which is cheaper than to meet once
// more.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

class BatchNormStage : public StageBase {
 public:
  static constexpr bool kLearns = true;

  BatchNormStage(const StageRequest& request, const BatchNorm2d&);

  bool has_pool() const { return pool_.rows > 0; }

  // The gradient of the input also goes back through the ReLU that has made it.
  bool backward_through_relu = false;

  // Before forward, in training: a block leaves its moments, and of a pooling what it will take ...
  void leave_moments(const StagePass& pass, std::span<const Block> blocks) const;
  // ... and when all have, the thread takes the constants of the batch.
  void take_batch_statistics(const StagePass& pass, const BatchMemory& batch) const;
  // In evaluation it takes those of the running statistics, flat in the plan's layout.
  void take_running_statistics(const StagePass& pass, const float* running) const;

  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  // The sums that the parameters' gradients are. When all blocks have left them, the thread takes
  // the constants of the way back, and input_gradients() follows.
  void backward(const StagePass& pass, std::span<const Block> blocks) const;
  void take_batch_sums(const StagePass& pass, const BatchMemory& batch) const;
  void input_gradients(const StagePass& pass, std::span<const Block> blocks) const;

  void gradients(const GradientPass& pass) const;

  // The running statistics take their share of a batch of `count` samples.
  void update_running_statistics(float* running, const BatchMemory& batch, int count) const;

 private:
  // The part of the input that the output is made of: all of it, or what the pooling takes.
  Tensor taken(const Block& block, Worker part) const;
  void take(const StagePass& pass, const Block& block) const;
  const float* weights(const StagePass& pass) const;  // of the part's channels

  // What a thread knows of each channel, (C) each.
  struct Constants {
    float* center;
    float* inverse;  // 1 / deviation
    float* scale;
    float* shift;
    float* slope;  // the last two of the way back
    float* offset;
  };
  static constexpr size_t kConstants = 6;

  int channels() const { return in.shape.channels; }
  double values(int count) const { return static_cast<double>(count) * in.shape.plane(); }
  Constants constants(const StagePass& pass) const;
  Moments batch_moments(const BatchMemory& batch, int channel, int count) const;
  void set_constants(const StagePass& pass, int channel, double mean, double variance) const;

  Window pool_;
  size_t weight_, bias_;                    // offsets into the parameters
  size_t running_mean_, running_variance_;  // and into the running statistics
  size_t taken_ = 0;                        // in what a block keeps: what the pooling takes
  size_t sum_lanes_;                        // in what passes: a vector for each sum
  size_t partial_gradients_;                // in the batch: weights', then biases'
  size_t moments_;                          // in the batch
  size_t constants_;                        // in a thread's constants
};

}  // namespace digitron
