// A ReLU that no other stage takes along.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

class ReluStage : public StageBase {
 public:
  ReluStage(const StageRequest& request, const ReLU&) : StageBase(request) {}

  void forward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& b : blocks) {
      pass.kernels.relu_forward(out.values(b, pass.part), in.values(b, pass.part));
    }
  }
  void backward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& b : blocks) {
      pass.kernels.relu_backward(in.gradient(b, pass.part), out.gradient(b, pass.part),
                                 out.values(b, pass.part), 1.0f);
    }
  }
};

}  // namespace digitron
