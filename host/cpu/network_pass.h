// Blocks of samples on their way through the network and back.
#pragma once

#include "host/core/step_recorder.h"
#include "host/cpu/layout.h"

namespace digitron {

struct BlockLosses {
  float loss[kLanes];
  uint8_t correct[kLanes];
};

// One thread's way: what it does with each group of blocks. recorder: null, or told of each piece.
class NetworkPass {
 public:
  NetworkPass(const CpuLayout& layout, const StagePass& pass, StepRecorder* recorder)
      : layout_(layout), pass_(pass), recorder_(recorder) {}

  const StagePass& stage_pass() const { return pass_; }

  // Samples -> logits, in evaluation.
  void forward(std::span<const Block> blocks) const;
  // One segment of a training step; all but the last leave the moments of the batch normalisation
  // that the next one begins with.
  void forward(int segment, std::span<const Block> blocks) const;
  // The last segment's way back begins here: logits -> losses and their gradient.
  void loss_and_gradient(std::span<BlockLosses> losses, std::span<const Block> blocks) const;
  // A segment's way back, as far as it has parameters.
  void backward(int segment, std::span<const Block> blocks) const;

  // The losses of a block that has gone forward in evaluation.
  void loss(BlockLosses& losses, const Block& block) const;
  // Its logits, (kClasses, kLanes).
  const float* logits(const Block& block) const { return layout_.logits().values(block).data; }

 private:
  void gather(std::span<const Block> blocks) const;
  void mark_stage(StepPart work, size_t stage, std::span<const Block> blocks) const {
    mark(recorder_, work, static_cast<int>(stage), blocks.front().index);
  }
  void forward_stages(size_t first, size_t last, std::span<const Block> blocks) const;

  const CpuLayout& layout_;
  StagePass pass_;
  StepRecorder* recorder_;
};

}  // namespace digitron
