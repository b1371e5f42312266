// A convolution, with the pooling and the ReLU after it.
#pragma once

#include "host/cpu/stages/stage.h"
#include "host/cpu/stages/winograd.h"
#include "host/cpu/stages/winograd_rows.h"

namespace digitron {

class ConvStage : public StageBase {
 public:
  static constexpr bool kLearns = true;

  ConvStage(const StageRequest& request, const Conv2d& conv);

  // A batch normalisation whose input this ReLU makes takes its backward pass along.
  bool relu_backward_in_next_stage = false;
  // Other blocks go forward between a block's way there and back, so that what it leaves in passing
  // memory is lost.
  bool forward_is_lost = false;

  static constexpr int kBlocksTogether = 1;  // the cache is for one
  static constexpr bool kMixesChannels = true;
  bool has_pool() const { return pool_.rows > 0; }

  void prepare(const StagePass& pass) const;
  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;
  void gradients(const GradientPass& pass) const;

  int64_t forward_work(Worker part) const;
  int64_t backward_work(Worker part) const;

 private:
  void forward(const StagePass& pass, const Block& block) const;
  void backward(const StagePass& pass, const Block& block) const;
  void backward_by_winograd(const StagePass& pass, const Block& block, Tensor dy, Tensor dx) const;
  void backward_by_definition(const StagePass& pass, const Block& block, Tensor dy,
                              Tensor dx) const;
  Winners winners(const StagePass& pass, const Block& block) const;  // of the part's channels
  void take_places(MemorySizes& sizes);
  // Multiply-adds of a sample for an output channel, and for an input channel's gradient.
  int64_t output_work() const;
  int64_t input_work() const;
  Tensor scratch(const StagePass& pass, const Block& block, int rows, int most_rows) const;
  // Of one output channel, of one input channel: floats of the weights.
  std::ptrdiff_t weights_of_output() const { return weight_count_ / out.shape.channels; }
  std::ptrdiff_t weights_of_input() const { return window_.rows * window_.columns; }

  Window window_;
  Window pool_;
  Shape convolved_;  // what pooling reads; rows and columns that it would drop are never computed
  size_t weight_, bias_;  // offsets into the parameters
  int weight_count_;
  std::optional<Winograd> winograd_;
  std::optional<WinogradRows> winograd_rows_;
  // A pooled convolution makes this many of its rows at a time, in a scratch tensor that stays in
  // cache.
  int forward_rows_ = 0;
  int backward_rows_ = 0;
  size_t winners_ = 0;  // place in a block's winners
  // In what passes: the weights' gradients and the biases', a vector each with a sum for every
  // lane.
  size_t weight_lanes_ = 0, bias_lanes_;
  size_t partial_weights_ = 0, partial_biases_;  // in the batch: these summed over the lanes
};

}  // namespace digitron
