#include "host/cpu/stages/pool.h"

namespace digitron {

MaxPoolStage::MaxPoolStage(const StageRequest& request, const MaxPool2d& pool)
    : StageBase(request),
      window_(window_of(pool)),
      winners_(MemorySizes::take(request.sizes.block_winners, size_t(out.shape.count()) * kLanes)) {
}

Winners MaxPoolStage::winners(const Block& block) const {
  return {block.winners + winners_, std::ptrdiff_t{out.shape.plane()} * kLanes};
}

void MaxPoolStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    pass.kernels.maxpool_forward(out.values(block), winners(block), in.values(block), nullptr,
                                 window_, relu);
  }
}

void MaxPoolStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    in.zeroed_gradient(block);
    pass.kernels.maxpool_backward_add(in.gradient(block), out.gradient(block), winners(block),
                                      window_);
  }
}

}  // namespace digitron
