// A convolution, with the pooling and the ReLU after it.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

class ConvStage : public StageBase {
 public:
  static constexpr bool kLearns = true;

  ConvStage(const StageRequest& request, const Conv2d& conv);

  // A batch normalisation whose input this ReLU makes takes its backward pass along.
  bool relu_backward_in_next_stage = false;

  static constexpr int kBlocksTogether = 1;  // the cache is for one
  static constexpr bool kMixesChannels = true;
  bool has_pool() const { return pool_.rows > 0; }

  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;
  void gradients(const GradientPass& pass) const;

  int64_t forward_work(Worker part) const;
  int64_t backward_work(Worker part) const;

 private:
  void forward(const StagePass& pass, const Block& block) const;
  void backward(const StagePass& pass, const Block& block) const;
  Tensor scratch(const StagePass& pass, const Block& block, int rows, int most_rows) const;
  // Of one output channel, of one input channel: floats of the weights.
  std::ptrdiff_t weights_of_output() const { return weight_count_ / out.shape.channels; }
  std::ptrdiff_t weights_of_input() const { return window_.rows * window_.columns; }

  Window window_;
  Window pool_;
  Shape convolved_;  // what pooling reads; rows and columns that it would drop are never computed
  size_t weight_, bias_;  // offsets into the parameters
  int weight_count_;
  // A pooled convolution makes this many of its rows at a time, in a scratch tensor that stays in
  // cache.
  int forward_rows_ = 0;
  int backward_rows_ = 0;
  size_t winners_ = 0;        // place in a block's winners
  size_t gradient_lanes_;     // in what passes: the weights' gradients, then the biases', a
                              // vector each with a sum for every lane
  size_t partial_gradients_;  // in the batch: the same, summed over the lanes
};

}  // namespace digitron
