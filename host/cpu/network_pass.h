// Blocks of samples on their way through the network and back.
#pragma once

#include "host/cpu/layout.h"

namespace digitron {

struct alignas(64) BlockLosses {  // no line is written by two threads
  float loss[kLanes];
  uint8_t correct[kLanes];
};

// One thread's way: what it does with each group of blocks, or its part of it where a crew takes a
// group together. The pass's recorder is told of each piece.
class NetworkPass {
 public:
  NetworkPass(const CpuLayout& layout, const StagePass& pass) : layout_(layout), pass_(pass) {}

  const StagePass& stage_pass() const { return pass_; }

  // What the thread needs for all blocks of a step, or of an evaluation: first of all.
  void prepare();

  // Samples -> logits, in evaluation.
  void forward(std::span<const Block> blocks);
  // Of a network that begins with a linear layer, a thread's share of that one's sums for these
  // blocks. All blocks of the batch have been here before one goes forward in training. Each tile's
  // pixels come to the same memory, which so stays in the nearest cache.
  void forward_by_columns(Worker worker, std::span<const Block> blocks);
  // One segment of a training step; all but the last leave the moments of the batch normalisation
  // that the next one begins with.
  void forward(int segment, std::span<const Block> blocks);
  // The last segment's way back begins here: logits -> losses and their gradient.
  void loss_and_gradient(std::span<BlockLosses> losses, std::span<const Block> blocks);
  // A segment's way back, as far as it has parameters.
  void backward(int segment, std::span<const Block> blocks);

  // The losses of a block that has gone forward in evaluation.
  void loss(BlockLosses& losses, const Block& block) const;
  // Its logits, (classes, kLanes).
  const float* logits(const Block& block) const { return layout_.logits().values(block).data; }

 private:
  // What comes next, until it is marked.
  void begin(StepPart work, std::span<const Block> blocks, size_t stage) {
    pass_.work = {work, static_cast<int>(stage), blocks.front().index};
  }
  void begin(StepPart work, std::span<const Block> blocks) {
    pass_.work = {work, -1, blocks.front().index};
  }
  // Some pixels, as if the image began behind those that are left out.
  void gather(std::span<const Block> blocks, Range pixels, int left_out);
  void gather(std::span<const Block> blocks);
  void make_again(int segment, std::span<const Block> blocks);
  void forward_stages(size_t first, size_t last, std::span<const Block> blocks);

  const CpuLayout& layout_;
  StagePass pass_;
};

}  // namespace digitron
