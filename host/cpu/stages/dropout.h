// Dropout: of a stage of its own, and of the linear layer that takes one along.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

// What a dropout layer does to a block; see host/shared/dropout.h.
class BlockDropout {
 public:
  // layer: its index in the plan, which it draws with.
  BlockDropout(float probability, int layer) : probability_(probability), layer_(layer) {}

  // y = x times the factors of the pass's training step; y may be x.
  void apply(const StagePass& pass, const Block& block, Tensor y, Tensor x) const;
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
  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;

 private:
  BlockDropout dropout_;
};

}  // namespace digitron
