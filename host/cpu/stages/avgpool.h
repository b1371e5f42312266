// An average pooling: a convolution of each channel by itself, with equal weights.
#pragma once

#include <vector>

#include "host/cpu/stages/stage.h"

namespace digitron {

class AvgPoolStage : public StageBase {
 public:
  AvgPoolStage(const StageRequest& request, const AvgPool2d& pool)
      : StageBase(request),
        window_{pool.kernel, pool.kernel, pool.stride},
        weights_(size_t(pool.kernel) * size_t(pool.kernel),
                 1.0f / static_cast<float>(pool.kernel * pool.kernel)) {}

  void forward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks)
      for (int c = 0; c < in.shape.channels; ++c) {
        pass.kernels.conv_forward(channel(out.values(block), c), channel(in.values(block), c),
                                  weights_.data(), nullptr, window_, 0, false);
      }
  }

  void backward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      const Tensor dx = in.zeroed_gradient(block);
      for (int c = 0; c < in.shape.channels; ++c) {
        pass.kernels.conv_backward_input(channel(dx, c), channel(out.gradient(block), c),
                                         weights_.data(), window_, 0);
      }
    }
  }

 private:
  static Tensor channel(Tensor tensor, int c) {
    tensor.data = tensor.row(c, 0);
    tensor.channels = 1;
    return tensor;
  }

  Window window_;
  std::vector<float> weights_;  // (kernel, kernel)
};

}  // namespace digitron
