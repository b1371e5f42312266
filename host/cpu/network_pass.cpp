#include "host/cpu/network_pass.h"

#include <algorithm>

namespace digitron {

void NetworkPass::gather(std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    pass_.kernels.gather(layout_.input().values(block), block.samples->images, block.count());
  }
  mark(recorder_, StepPart::kGather, -1, blocks.front().index);
}

void NetworkPass::forward_stages(size_t first, size_t last, std::span<const Block> blocks) const {
  for (size_t s = first; s < last; ++s) {
    std::visit([&](const auto& stage) { stage.forward(pass_, blocks); }, layout_.stages[s]);
    mark_stage(StepPart::kForward, s, blocks);
  }
}

void NetworkPass::forward(std::span<const Block> blocks) const {
  gather(blocks);
  forward_stages(0, layout_.stages.size(), blocks);
}

void NetworkPass::forward(int segment, std::span<const Block> blocks) const {
  if (segment == 0) gather(blocks);
  forward_stages(layout_.segment_begin(segment), layout_.segment_begin(segment + 1), blocks);
  if (segment + 1 < layout_.segment_count()) {
    layout_.norm(segment + 1).leave_moments(pass_, blocks);
    mark_stage(StepPart::kForward, layout_.segment_begin(segment + 1), blocks);
  }
}

void NetworkPass::loss_and_gradient(std::span<BlockLosses> losses,
                                    std::span<const Block> blocks) const {
  const float scale = 1.0f / static_cast<float>(pass_.step->count);
  for (size_t i = 0; i < blocks.size(); ++i) {
    pass_.kernels.softmax_cross_entropy(layout_.logits().gradient(blocks[i]).data, losses[i].loss,
                                        losses[i].correct, logits(blocks[i]),
                                        blocks[i].samples->labels, kClasses, blocks[i].count(),
                                        scale, pass_.step->smoothing);
  }
  mark(recorder_, StepPart::kLoss, -1, blocks.front().index);
}

void NetworkPass::backward(int segment, std::span<const Block> blocks) const {
  if (segment + 1 < layout_.segment_count()) {
    layout_.norm(segment + 1).input_gradients(pass_, blocks);
    mark_stage(StepPart::kBackward, layout_.segment_begin(segment + 1), blocks);
  }
  const size_t last = std::max(layout_.segment_begin(segment), layout_.first_trained);
  for (size_t s = layout_.segment_begin(segment + 1); s-- > last;) {
    std::visit([&](const auto& stage) { stage.backward(pass_, blocks); }, layout_.stages[s]);
    mark_stage(StepPart::kBackward, s, blocks);
  }
}

void NetworkPass::loss(BlockLosses& losses, const Block& block) const {
  pass_.kernels.softmax_cross_entropy(nullptr, losses.loss, losses.correct, logits(block),
                                      block.samples->labels, kClasses, block.count(), 0.0f, 0.0f);
}

}  // namespace digitron
