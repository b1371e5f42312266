#include "host/cpu/network_pass.h"

#include <algorithm>

namespace digitron {

void NetworkPass::prepare() {
  for (size_t s = 0; s < layout_.stages.size(); ++s) {
    pass_.work = {StepPart::kForward, static_cast<int>(s)};
    std::visit([&](const auto& stage) { stage.prepare(pass_); }, layout_.stages[s]);
  }
}

void NetworkPass::gather(std::span<const Block> blocks, Range pixels, int left_out) {
  begin(StepPart::kGather, blocks);
  for (const Block& block : blocks) {
    Tensor x = layout_.input().values(block);
    x.data -= std::ptrdiff_t{left_out} * kLanes;
    pass_.kernels.gather(x, block.samples->images, block.count(), layout_.pixels, pixels.first,
                         pixels.last);
  }
  pass_.mark_work();
}

// The crew shares the pixels, in whole vectors.
void NetworkPass::gather(std::span<const Block> blocks) {
  const int pixels = layout_.input().shape.count();
  const Range vectors = share((pixels + kLanes - 1) / kLanes, pass_.part);
  gather(blocks,
         {std::min(vectors.first * kLanes, pixels), std::min(vectors.last * kLanes, pixels)}, 0);
  pass_.meet();
}

void NetworkPass::forward_by_columns(Worker worker, std::span<const Block> blocks) {
  const LinearStage& stage = *layout_.first_linear();
  stage.for_each_tile(worker, [&](const LinearStage::Tile& tile) {
    gather(blocks, tile.columns, tile.columns.first);
    begin(StepPart::kForward, blocks, 0);
    stage.forward_tile(pass_, tile, blocks);
    pass_.mark_work();
  });
}

void NetworkPass::forward_stages(size_t first, size_t last, std::span<const Block> blocks) {
  for (size_t s = first; s < last; ++s) {
    const auto forward = [&](const auto& stage) {
      if (s > 0 && stage.kMixesChannels) pass_.meet();
      begin(StepPart::kForward, blocks, s);
      stage.forward(pass_, blocks);
      pass_.mark_work();
    };
    std::visit(forward, layout_.stages[s]);
  }
}

void NetworkPass::forward(std::span<const Block> blocks) {
  if (layout_.first_linear()) {
    forward_by_columns({0, 1}, blocks);
  } else {
    gather(blocks);
  }
  forward_stages(0, layout_.stages.size(), blocks);
}

void NetworkPass::forward(int segment, std::span<const Block> blocks) {
  if (segment == 0 && !layout_.first_linear()) gather(blocks);
  forward_stages(layout_.segment_begin(segment), layout_.segment_begin(segment + 1), blocks);
  if (segment + 1 < layout_.segment_count()) {
    begin(StepPart::kForward, blocks, layout_.segment_begin(segment + 1));
    layout_.norm(segment + 1).leave_moments(pass_, blocks);
    pass_.mark_work();
  }
}

// One of a crew does it, which takes less time than to meet.
void NetworkPass::loss_and_gradient(std::span<BlockLosses> losses, std::span<const Block> blocks) {
  pass_.meet();
  begin(StepPart::kLoss, blocks);
  if (pass_.part.index == 0) {
    const float scale = 1.0f / static_cast<float>(pass_.step->count);
    for (size_t i = 0; i < blocks.size(); ++i) {
      pass_.kernels.softmax_cross_entropy(layout_.logits().gradient(blocks[i]).data, losses[i].loss,
                                          losses[i].correct, logits(blocks[i]),
                                          blocks[i].samples->labels, layout_.classes(),
                                          blocks[i].count(), scale, pass_.step->smoothing);
    }
    pass_.mark_work();
  }
  pass_.meet();
}

// What the blocks have not kept of this segment.
void NetworkPass::make_again(int segment, std::span<const Block> blocks) {
  if (segment > 0) {
    const size_t norm = layout_.segment_begin(segment);
    forward_stages(norm, norm + 1, blocks);
    pass_.meet();
    return;
  }
  gather(blocks);
  if (layout_.repeats_first_segment()) forward_stages(0, layout_.segment_begin(1), blocks);
}

void NetworkPass::backward(int segment, std::span<const Block> blocks) {
  if (segment + 1 < layout_.segment_count()) make_again(segment, blocks);
  if (segment + 1 < layout_.segment_count()) {
    begin(StepPart::kBackward, blocks, layout_.segment_begin(segment + 1));
    layout_.norm(segment + 1).input_gradients(pass_, blocks);
    pass_.mark_work();
  }
  const size_t last = std::max(layout_.segment_begin(segment), layout_.first_trained);
  for (size_t s = layout_.segment_begin(segment + 1); s-- > last;) {
    begin(StepPart::kBackward, blocks, s);
    std::visit([&](const auto& stage) { stage.backward(pass_, blocks); }, layout_.stages[s]);
    pass_.mark_work();
  }
}

void NetworkPass::loss(BlockLosses& losses, const Block& block) const {
  pass_.kernels.softmax_cross_entropy(nullptr, losses.loss, losses.correct, logits(block),
                                      block.samples->labels, layout_.classes(), block.count(), 0.0f,
                                      0.0f);
}

}  // namespace digitron
