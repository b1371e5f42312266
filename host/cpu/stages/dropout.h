// Dropout: a stage of its own, and what a linear layer takes along.
#pragma once

#include <algorithm>

#include "host/cpu/stages/stage.h"
#include "host/shared/philox.h"

namespace digitron {

// What a dropout layer does to a block; see host/shared/dropout.h.
class BlockDropout {
 public:
  // layer: its index in the plan, which it draws with.
  BlockDropout(float probability, int layer) : probability_(probability), layer_(layer) {}

  // y = x times the factors of the pass's training step, for the part's channels of a tensor of
  // `slot`; y may be x.
  void apply(const StagePass& pass, const Block& block, const Slot& slot, Tensor y,
             Tensor x) const {
    const DropoutLayer layer{pass.step->seed,
                             pass.step->global_step,
                             static_cast<uint32_t>(layer_),
                             static_cast<uint32_t>(Purpose::kDropout),
                             probability_,
                             scale()};
    pass.kernels.dropout(y, x, layer, block.first_row(), slot.elements(pass.part).first,
                         slot.shape.count());
  }
  float scale() const { return 1.0f / (1.0f - probability_); }

 private:
  float probability_;
  int layer_;
};

class DropoutStage : public StageBase {
 public:
  DropoutStage(const StageRequest& request, const Dropout& dropout)
      : StageBase(request), dropout_(dropout.probability, request.layers.index) {}

  // In evaluation out is a copy of in.
  void forward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      const Tensor y = out.values(block, pass.part);
      const Tensor x = in.values(block, pass.part);
      if (pass.step) {
        dropout_.apply(pass, block, out, y, x);
        continue;
      }
      for (int c = 0; c < y.channels; ++c)
        for (int p = 0; p < y.height; ++p) std::copy_n(x.row(c, p), y.width * kLanes, y.row(c, p));
    }
  }

  void backward(const StagePass& pass, std::span<const Block> blocks) const {
    for (const Block& block : blocks) {
      dropout_.apply(pass, block, in, in.gradient(block, pass.part),
                     out.gradient(block, pass.part));
    }
  }

 private:
  BlockDropout dropout_;
};

}  // namespace digitron
