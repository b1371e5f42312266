// A max-pooling that no other stage takes along, with the ReLU after it.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

class MaxPoolStage : public StageBase {
 public:
  MaxPoolStage(const StageRequest& request, const MaxPool2d& pool)
      : StageBase(request), window_(window_of(pool)), winners_(take_winners(request)) {}

  void forward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      pass.kernels.maxpool_forward(out.values(block, pass.part),
                                   winners_at(block, pass.part, winners_),
                                   in.values(block, pass.part), nullptr, window_, relu);
    }
  }

  void backward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      in.zeroed_gradient(block, pass.part);
      pass.kernels.maxpool_backward_add(in.gradient(block, pass.part),
                                        out.gradient(block, pass.part),
                                        winners_at(block, pass.part, winners_), window_);
    }
  }

 private:
  Window window_;
  size_t winners_;
};

}  // namespace digitron
