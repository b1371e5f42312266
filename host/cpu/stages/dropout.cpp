#include "host/cpu/stages/dropout.h"

#include <algorithm>

#include "host/shared/philox.h"

namespace digitron {

namespace {

void copy(Tensor y, Tensor x) {
  for (int c = 0; c < y.channels; ++c)
    for (int p = 0; p < y.height; ++p) std::copy_n(x.row(c, p), y.width * kLanes, y.row(c, p));
}

}  // namespace

void BlockDropout::apply(const StagePass& pass, const Block& block, Tensor y, Tensor x) const {
  const DropoutLayer layer{pass.step->seed,
                           pass.step->global_step,
                           static_cast<uint32_t>(layer_),
                           static_cast<uint32_t>(Purpose::kDropout),
                           probability_,
                           scale()};
  pass.kernels.dropout(y, x, layer, block.first_row());
}

void DropoutStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    if (pass.step) {
      dropout_.apply(pass, block, out.values(block), in.values(block));
    } else {
      copy(out.values(block), in.values(block));
    }
  }
}

void DropoutStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    dropout_.apply(pass, block, in.gradient(block), out.gradient(block));
  }
}

}  // namespace digitron
