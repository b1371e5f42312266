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
    for (const Block& block : blocks) {
      const Tensor y = out.values(block, pass.part);
      const Tensor x = in.values(block, pass.part);
      for (int c = 0; c < x.channels; ++c) {
        pass.kernels.conv_forward(channel(y, c), channel(x, c), weights_.data(), nullptr, window_,
                                  0, false);
      }
    }
  }

  void backward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      const Tensor dx = in.zeroed_gradient(block, pass.part);
      const Tensor dy = out.gradient(block, pass.part);
      for (int c = 0; c < dx.channels; ++c) {
        pass.kernels.conv_backward_input(channel(dx, c), channel(dy, c), weights_.data(),
                                         std::ptrdiff_t{window_.rows} * window_.columns, window_,
                                         0);
      }
    }
  }

 private:
  static Tensor channel(Tensor tensor, int c) { return channels_of(tensor, {c, c + 1}); }

  Window window_;
  std::vector<float> weights_;  // (kernel, kernel)
};

}  // namespace digitron
