// What a convolution of few input channels, of which nobody wants the gradient, does by Winograd's
// filtering, two rows of outputs at a time (host/cpu/kernels/winograd_rows.h).
#pragma once

#include "host/cpu/stages/winograd.h"

namespace digitron {

class WinogradRows {
 public:
  // Takes its places, for a request that is possible.
  WinogradRows(const WinogradRequest& request, MemorySizes& sizes);

  // A thread's own transform of the weights, for all blocks of a step.
  void prepare(const StagePass& pass) const;
  // y, the part's output channels, pooled or not, of x, border included, with their bias b.
  void forward(const StagePass& pass, Tensor x, Tensor y, Winners winners, const float* b,
               bool relu) const;
  // From dy, the gradient of these: the block's part of their weights' gradients, for gradients().
  void weight_gradients(const StagePass& pass, const Block& block, Tensor x, Tensor dy,
                        Winners winners) const;
  // A thread's share of the weights' gradients, and their update.
  void gradients(const GradientPass& pass) const;

  // Multiply-adds of a sample for each output channel, and as many for its weights' gradients.
  int64_t output_work() const;

 private:
  int kernel_rows() const { return in_.channels * form_.taps; }  // of an output
  int all_kernel_rows() const { return out_.channels * kernel_rows(); }

  WinogradForm form_;
  Shape in_;
  Shape out_;
  bool pools_;
  size_t weights_;
  // Places. A thread's: the weights' transform, and what the kernels work in. In the batch: the
  // weights' gradients at all points.
  size_t u_, work_, du_;
};

}  // namespace digitron
