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
      : strip(make_aligned<float>(layout.strip_floats)),
        constants(make_aligned<float>(layout.constants_floats)) {}

  AlignedArray<float> strip;      // see CpuLayout
  AlignedArray<float> constants;  // of batch normalisations

  BatchNormConstants constants_of(const Stage& stage) const {
    return {constants.get() + stage.constants, static_cast<size_t>(stage.in.channels)};
  }
};

// What blocks need on their way through the network.
struct PassMemory {
  PassMemory(const CpuLayout& layout, int blocks)
      : floats(make_aligned<float>(layout.pass_floats * static_cast<size_t>(blocks))),
        winners(make_aligned<uint16_t>(layout.pass_winners * static_cast<size_t>(blocks))) {}

  AlignedArray<float> floats;
  AlignedArray<uint16_t> winners;
};

// What a batch owns of one block, because the weight gradients of linear layers are taken over the
// whole batch, and those of convolutions and all statistics summed over its blocks in order.
struct BatchMemory {
  BatchMemory(const CpuLayout& layout, int blocks_)
      : blocks(blocks_),
        floats(make_aligned<float>(layout.block_floats * static_cast<size_t>(blocks_))),
        partials(make_aligned<float>(layout.block_partials * static_cast<size_t>(blocks_))),
        moments(make_aligned<Moments>(layout.block_moments * static_cast<size_t>(blocks_))) {}

  int blocks;
  AlignedArray<float> floats;
  AlignedArray<float> partials;
  AlignedArray<Moments> moments;  // (blocks, block_moments)

  // Of a batch normalisation, block b: (C).
  Moments* moments_of(const Stage& stage, const CpuLayout& layout, int b) const {
    return moments.get() + layout.block_moments * size_t(b) + stage.moments;
  }
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

// What the blocks of one training step share.
struct TrainingStep {
  BatchMemory& batch;
  int count;        // samples of the whole batch, over which the loss is a mean
  float smoothing;  // of the labels
  uint64_t seed;    // of dropout
  uint32_t global_step;
};

class BlockPass {
 public:
  // parameters: flat in the plan's layout. memory: this thread's. pass: of the blocks. step: null
  // for evaluation.
  BlockPass(const CpuLayout& layout, const CpuKernels& kernels, const float* parameters,
            ThreadMemory& memory, PassMemory& pass, const TrainingStep* step)
      : layout_(layout),
        kernels_(kernels),
        parameters_(parameters),
        memory_(memory),
        pass_(pass),
        step_(step) {}

  // The next calls are about `samples`, up to group_blocks blocks, of which the first is the
  // batch's block first_block and has the pass memory's block first_memory.
  void take(std::span<const BlockSamples> samples, int first_block, int first_memory) {
    samples_ = samples;
    first_block_ = first_block;
    first_memory_ = first_memory;
  }

  // Samples -> logits, in evaluation.
  void forward();
  // One segment of a training step; all but the last leave the moments of what the next one begins
  // with.
  void forward(int segment);
  // The last segment's way back begins here: logits -> losses and their gradient.
  void turn(std::span<BlockLosses> losses);
  // A segment's way back: partial gradients of its convolutions and of the batch normalisation that
  // it begins with, and the linear stages' xt and dy.
  void backward(int segment);

  // The losses of the k-th of the blocks that went forward last.
  void loss(BlockLosses& losses, int k);

  // Its logits, (kClasses, kLanes).
  const float* logits(int k) {
    select(k);
    return values(layout_.slots.back());
  }

 private:
  // The other functions work on the block of the group that was selected last.
  void select(int k) {
    const size_t block = static_cast<size_t>(first_memory_) + static_cast<size_t>(k);
    floats_ = pass_.floats.get() + layout_.pass_floats * block;
    winners_ = pass_.winners.get() + layout_.pass_winners * block;
    count_ = samples_[static_cast<size_t>(k)].count;
    block_ = first_block_ + k;
  }
  int blocks() const { return static_cast<int>(samples_.size()); }

  void gather();
  void forward_stages(int first, int last);
  void forward_stage(const Stage& stage, const Slot& in, const Slot& out);
  void forward_linear(size_t s);
  void forward_conv(const Stage& stage, const Slot& in, const Slot& out);
  void forward_batchnorm(const Stage& stage, const Slot& in, const Slot& out);
  void drop(const Stage& stage, Tensor y, Tensor x);
  void backward_linear(size_t s);
  void backward(const Stage& stage, size_t s);
  void backward_conv(const Stage& stage, const Slot& in, const Slot& out, Tensor dy, bool to_input);
  void batchnorm_sums(size_t s);
  void backward_batchnorm(size_t s);
  Tensor gradient(size_t slot) const;
  Tensor clear_gradient(const Slot& slot) const;
  float* partial(const Stage& stage) const {
    const auto block = static_cast<size_t>(block_);
    return step_->batch.partials.get() + layout_.block_partials * block + stage.partial;
  }

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
  PassMemory& pass_;
  const TrainingStep* step_;
  std::span<const BlockSamples> samples_;
  int first_block_ = 0;
  int first_memory_ = 0;
  float* floats_ = nullptr;
  uint16_t* winners_ = nullptr;
  int count_ = 0;
  int block_ = 0;
};

}  // namespace digitron
