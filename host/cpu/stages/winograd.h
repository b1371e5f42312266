// What a convolution does by Winograd's filtering (host/cpu/kernels/winograd.h), and the places of
// what that needs in a block's passing memory. A crew's threads transform their own channels, and
// read the others' when they have met.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

// A convolution that makes `out` of `in`, border included, with a pooling after it or none.
struct WinogradRequest {
  const Conv2d& conv;
  Shape in;
  Shape out;  // before the pooling
  Window pool;
  size_t weights;  // their place in the parameters

  bool pools() const { return pool.rows > 0; }
  // Whether there are kernels for it.
  bool possible() const;
};

// A thread's share of `all` kernel rows' gradients, and their update, from the blocks' sums at `du`
// of the batch.
void update_kernel_rows(const GradientPass& pass, WinogradForm form, size_t du, size_t weights,
                        int all);

class Winograd {
 public:
  // Whether it is faster than the definition.
  static bool serves(const WinogradRequest& request);

  // Takes its places.
  Winograd(const WinogradRequest& request, MemorySizes& sizes);

  // A thread's own transform of the weights, for all blocks of a step.
  void prepare(const StagePass& pass) const;
  // Of x, border included; the crew meets.
  void transform(const StagePass& pass, const Block& block, Tensor x) const;
  // y, the part's output channels, pooled or not, from what was transformed, with their bias b.
  void forward(const StagePass& pass, const Block& block, Tensor y, Winners winners, const float* b,
               bool relu) const;
  // From dy, the gradient of these: the block's part of their weights' gradients, for gradients().
  void weight_gradients(const StagePass& pass, const Block& block, Tensor dy, Winners winners,
                        Ahead& ahead) const;
  // dx += the gradient of the part's input channels, once the crew has met after weight_gradients.
  // What was transformed of x is lost.
  void input_gradient(const StagePass& pass, const Block& block, Tensor dx, Ahead& ahead) const;
  // A thread's share of the weights' gradients, and their update.
  void gradients(const GradientPass& pass) const;

  // Multiply-adds of a sample: for each output channel there, for its weights' gradients, and for
  // each input channel back.
  int64_t output_work() const { return work(in_.channels); }
  int64_t input_work() const { return work(out_.channels); }

 private:
  int64_t work(int channels) const {
    return int64_t{form_.points()} * tiles_ * out_.height * form_.taps * channels;
  }
  int kernel_rows() const { return in_.channels * form_.taps; }  // of an output
  int all_kernel_rows() const { return out_.channels * kernel_rows(); }
  PointTensor transformed_input(const Block& block) const;
  PointTensor transformed_output(const Block& block, Worker part) const;  // of its channels

  WinogradForm form_;
  Shape in_;  // the rows that an output needs: pooling may drop the last ones
  Shape out_;
  int tiles_;
  int pool_;  // rows of a pooling window, or 1
  size_t weights_;
  // Places. A thread's: the weights' transform, and its counterpart for the way back.
  size_t u_, u_back_;
  // In what passes: the input's transform, the output's or its gradient's, and the weights'
  // gradients at a point by lane. In the batch: these at all points, summed over the lanes.
  size_t v_, m_, du_lanes_, du_;
};

}  // namespace digitron
