// A linear layer, with the ReLU and the dropout after it. Its weights' gradients are one matrix
// product over the whole batch, for which the batch keeps every block's inputs, one sample a row,
// and the gradients of its outputs. A first stage keeps no inputs, which are the images: each
// thread makes the columns that it needs itself, rather than fetch them from another core.
#pragma once

#include "host/cpu/stages/dropout.h"

namespace digitron {

class LinearStage : public StageBase {
 public:
  static constexpr bool kLearns = true;
  static constexpr bool kMixesChannels = true;

  LinearStage(const StageRequest& request, const Linear&);

  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;
  void gradients(const GradientPass& pass) const;

  int64_t forward_work(Worker part) const;
  int64_t backward_work(Worker part) const;
  int64_t gradient_work(Worker worker) const;

 private:
  int inputs() const { return in.shape.count(); }
  int outputs() const { return out.shape.count(); }
  // Floats of a sample's row: whole vectors.
  int row_floats() const { return (inputs() + kLanes - 1) / kLanes * kLanes; }
  // A thread's columns of the weights, in whole vectors.
  Range columns(Worker worker) const;
  float* input_rows(const BatchMemory& batch, int block) const;
  float* output_gradients(const BatchMemory& batch, int block) const;
  void weight_gradients(const GradientPass& pass) const;
  void weight_gradients(const GradientPass& pass, Range mine) const;

  bool from_images_;
  size_t weight_, bias_;  // offsets into the parameters
  std::optional<BlockDropout> dropout_;
  size_t input_rows_ = 0;  // place in the batch's floats, unless from_images_
};

}  // namespace digitron
