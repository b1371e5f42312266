// Blocks of samples on their way through the network and back, in one thread's memory.
#pragma once

#include <cstdint>
#include <span>

#include "host/cpu/aligned.h"
#include "host/cpu/stages.h"

namespace digitron {

// What a thread owns.
struct ThreadMemory {
  explicit ThreadMemory(const CpuLayout& layout)
      : floats(make_aligned<float>(layout.pass_floats * layout.group_blocks)),
        winners(make_aligned<uint16_t>(layout.pass_winners * layout.group_blocks)),
        strip(make_aligned<float>(layout.strip_floats)) {}

  AlignedArray<float> floats;
  AlignedArray<uint16_t> winners;
  AlignedArray<float> strip;  // see CpuLayout
};

// What a batch owns of one block, because the weight gradients of linear layers are taken over the
// whole batch, and those of convolutions summed over its blocks in order.
struct BatchMemory {
  BatchMemory(const CpuLayout& layout, int blocks_)
      : blocks(blocks_),
        floats(make_aligned<float>(layout.block_floats * static_cast<size_t>(blocks_))),
        partials(make_aligned<float>(layout.block_partials * static_cast<size_t>(blocks_))) {}

  int blocks;
  AlignedArray<float> floats;
  AlignedArray<float> partials;

  // Of a linear stage, block b: its inputs one sample a row (blocks * kLanes, row_floats), and dy
  // (blocks, outputs, kLanes). Blocks of one stage follow each other.
  float* xt(const Stage& stage, int b) const {
    return floats.get() + stage.xt * blocks + size_t(b) * kLanes * stage.row_floats();
  }
  float* dy(const Stage& stage, int b) const {
    return floats.get() + stage.dy * blocks + size_t(b) * kLanes * stage.out.count();
  }
};

// The samples of a block: count of them, 1 to kLanes.
struct BlockSamples {
  const uint8_t* images[kLanes];
  uint8_t labels[kLanes];
  int count = 0;
};

struct BlockLosses {
  float loss[kLanes];
  uint8_t correct[kLanes];
};

class BlockPass {
 public:
  // parameters: flat in the plan's layout.
  BlockPass(const CpuLayout& layout, const CpuKernels& kernels, const float* parameters,
            ThreadMemory& memory)
      : layout_(layout), kernels_(kernels), parameters_(parameters), memory_(memory) {}

  // Up to group_blocks blocks of samples -> their logits.
  void forward(std::span<const BlockSamples> samples) { forward(samples, nullptr, 0); }

  // Samples -> losses, the linear stages' xt and dy and the convolutions' partial gradients of
  // blocks first_block, ... batch_count: samples of the whole batch, over which the loss is a mean;
  // smoothing: of the labels.
  void train(std::span<BlockLosses> losses, std::span<const BlockSamples> samples,
             BatchMemory& batch, int first_block, int batch_count, float smoothing);

  // The losses of the k-th of the blocks that went forward last.
  void loss(BlockLosses& losses, const BlockSamples& samples, int k);

  // Its logits, (kClasses, kLanes).
  const float* logits(int k) {
    select(k);
    return values(layout_.slots.back());
  }

 private:
  // The other functions work on the block of the group that was selected last.
  void select(int k) {
    floats_ = memory_.floats.get() + layout_.pass_floats * k;
    winners_ = memory_.winners.get() + layout_.pass_winners * k;
  }

  void forward(std::span<const BlockSamples> samples, BatchMemory* batch, int first_block);
  void forward_stage(const Stage& stage, const Slot& in, const Slot& out);
  void forward_linear(size_t s, int blocks, BatchMemory* batch, int first_block);
  void backward_linear(size_t s, int blocks, BatchMemory& batch, int first_block);
  void forward_conv(const Stage& stage, const Slot& in, const Slot& out);
  void backward(const Stage& stage, size_t s, BatchMemory& batch, int b);
  void backward_conv(const Stage& stage, const Slot& in, const Slot& out, Tensor dy, bool to_input,
                     float* partial);
  Tensor gradient(size_t slot, BatchMemory& batch, int b) const;
  Tensor clear_gradient(const Slot& slot) const;

  float* values(const Slot& slot) const { return floats_ + slot.offset; }
  // From row `first` of the pooled output on.
  Winners winners(const Stage& stage, int first) const {
    const std::ptrdiff_t row = std::ptrdiff_t{stage.out.width} * kLanes;
    return {winners_ + stage.winner + first * row, stage.out.height * row};
  }
  Tensor scratch(const Stage& stage, int rows) const;

  const CpuLayout& layout_;
  const CpuKernels& kernels_;
  const float* parameters_;
  ThreadMemory& memory_;
  float* floats_ = nullptr;
  uint16_t* winners_ = nullptr;
};

}  // namespace digitron
