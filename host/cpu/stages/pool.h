// A max-pooling that no other stage takes along, with the ReLU after it.
#pragma once

#include "host/cpu/stages/stage.h"

namespace digitron {

class MaxPoolStage : public StageBase {
 public:
  MaxPoolStage(const StageRequest& request, const MaxPool2d& pool);
  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;

 private:
  Winners winners(const Block& block) const;

  Window window_;
  size_t winners_;  // place in a block's winners
};

}  // namespace digitron
