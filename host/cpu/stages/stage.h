// What the kinds of stages have in common. A stage is a layer with those that are computed with it
// (host/core/fusion.h). It knows its places in memory and works on any block that it is given, so
// that threads share it. Each kind is a file beside this one and offers
//
//   prepare(pass)             what a thread has for itself for all blocks of a step
//   forward(pass, blocks)     in -> out
//   backward(pass, blocks)    the gradient of out -> that of in, and what gradients() needs
//   gradients(pass)           a thread's share of the parameters' gradients and of their update,
//                             once all blocks of the batch have been back
//
// A crew of threads may take a block together. Then each makes its own channels of every tensor,
// always the same ones (Slot::share), and most stages read no others. Those that mix channels
// (kMixesChannels) find the crew met before forward, and meet within backward.
#pragma once

#include <optional>
#include <span>

#include "host/core/fusion.h"
#include "host/core/step_recorder.h"
#include "host/cpu/barrier.h"
#include "host/cpu/memory.h"
#include "host/cpu/parameter_update.h"
#include "host/cpu/worker.h"

namespace digitron {

// The samples of a block: count of them, 1 to kLanes.
struct BlockSamples {
  const uint8_t* images[kLanes];
  uint8_t labels[kLanes];
  int count = 0;
};

// One block of samples on its way through the network.
struct Block {
  float* passing;  // what lies here the next block overwrites
  float* kept;     // and this is the block's own until the end of the step: see MemorySizes
  uint16_t* winners;
  const BatchMemory* batch;  // null in evaluation
  int index;                 // of the block in the batch
  const BlockSamples* samples;
  Ahead next = {};  // what the thread's next block has kept, where that is not in its cache

  int count() const { return samples->count; }
  int first_row() const { return index * kLanes; }  // of the batch
};

// A tensor between two stages, with a border of zeros for the padded convolution that reads it.
struct Slot {
  Shape shape;
  int border = 0;
  // Of the values and of their gradient: in what passes, or in what a block keeps, or, of the
  // gradient, in the batch's floats.
  size_t place = 0;
  size_t gradient_place = 0;
  bool kept = false;
  bool gradient_kept = false;
  bool gradient_in_batch = false;

  size_t floats() const;
  Tensor values(const Block& block) const;
  Tensor values_with_border(const Block& block) const;
  // In the batch's memory the blocks' gradients follow each other, each as one long row.
  Tensor gradient(const Block& block) const;

  // The channels that one of a crew makes, and their elements of a sample.
  Range share(Worker part) const { return digitron::share(shape.channels, part); }
  Range elements(Worker part) const {
    return {share(part).first * shape.plane(), share(part).last * shape.plane()};
  }
  // Those channels of the views above.
  Tensor values(const Block& block, Worker part) const;
  Tensor gradient(const Block& block, Worker part) const;
  // With its border, zeroed, for kernels that add to it.
  Tensor zeroed_gradient(const Block& block, Worker part) const;
};

// Some channels of a tensor.
inline Tensor channels_of(Tensor tensor, Range channels) {
  tensor.data += channels.first * tensor.channel_stride;
  tensor.channels = channels.count();
  return tensor;
}
inline PointTensor channels_of(PointTensor tensor, Range channels) {
  return {channels_of(static_cast<const Tensor&>(tensor), channels), tensor.point_stride};
}
inline Winners channels_of(Winners winners, Range channels) {
  winners.data += channels.first * winners.channel_stride;
  return winners;
}

// Rows [first, first + count) of a tensor.
inline Tensor rows_of(Tensor tensor, int first, int count) {
  tensor.data += first * tensor.row_stride;
  tensor.height = count;
  return tensor;
}

// What the blocks of one training step share.
struct TrainingStep {
  int count;        // samples of the whole batch, over which the loss is a mean
  float smoothing;  // of the labels
  uint64_t seed;    // of dropout
  uint32_t global_step;
};

// What the blocks of one thread share on their way.
struct StagePass {
  const CpuKernels& kernels;
  const MemorySizes& sizes;
  const float* parameters;     // flat in the plan's layout
  const ThreadMemory& memory;  // this thread's
  const TrainingStep* step;    // null in evaluation
  StepRecorder* recorder;      // null in steps that nobody profiles
  int threads = 1;             // that share the weights of a linear first stage
  Worker part{0, 1};           // of the crew that takes these blocks together
  Barrier* barrier = nullptr;  // where the crew meets; null for one that works alone

  // What the thread is at, for the recorder.
  struct Work {
    StepPart part = StepPart::kGather;
    int stage = -1;
    int block = -1;
  };
  Work work = {};

  // The thread has done what it was at.
  void mark_work() const { mark(recorder, work.part, work.stage, work.block); }
  // Between two pieces of work.
  void meet() const {
    if (!barrier) return;
    barrier->meet(part.count);
    mark(recorder, StepPart::kWaiting);
  }
  // Within one.
  void mark_and_meet() const {
    if (!barrier) return;
    mark_work();
    meet();
  }
};

// What a thread needs for its share of the gradients over the whole batch.
struct GradientPass {
  const CpuKernels& kernels;
  const BatchMemory& batch;
  std::span<const BlockSamples> samples;  // of each block of the batch
  const PixelValues& pixels;
  const ThreadMemory& memory;
  ParameterUpdate update;
  Worker worker;

  int blocks() const { return static_cast<int>(samples.size()); }
};

// What a stage is made of.
struct StageRequest {
  const Plan& plan;
  const FusedLayers& layers;
  bool first;  // it reads the images
  MemorySizes& sizes;

  const PlannedLayer& layer() const { return *layers.layer; }
  const Parameter& weight() const { return plan.weight(layer()); }
  const Parameter& bias() const { return plan.bias(layer()); }
};

struct StageBase {
  explicit StageBase(const StageRequest& request)
      : relu(request.layers.relu), input_gradient(request.layer().input_gradient) {
    in.shape = request.layer().in;
    out.shape = request.layers.out;
  }

  Slot in;
  Slot out;
  bool relu;
  bool input_gradient;
  std::optional<size_t> gradient_in_batch;  // where in the batch's floats that of `out` is wanted

  // Blocks that like to go through the network together.
  static constexpr int kBlocksTogether = kGroupBlocks;
  static constexpr bool kMixesChannels = false;
  static constexpr bool kLearns = false;  // gradients() does something
  void prepare(const StagePass&) const {}
  void gradients(const GradientPass&) const {}

  // How many multiply-adds a sample costs, of convolutions and linear layers alone: there and back
  // for one of a crew, and in a thread's share of gradients().
  static int64_t forward_work(Worker) { return 0; }
  static int64_t backward_work(Worker) { return 0; }
  static int64_t gradient_work(Worker) { return 0; }

 protected:
  // The place of the winners of a stage that pools.
  size_t take_winners(const StageRequest& request) const {
    return MemorySizes::take(request.sizes.kept_winners, size_t(out.shape.count()) * kLanes);
  }
  // Those of the part's channels of the pooled output, from row `first_row` on.
  Winners winners_at(const Block& block, Worker part, size_t place, int first_row = 0) const {
    const std::ptrdiff_t row = std::ptrdiff_t{out.shape.width} * kLanes;
    return channels_of(Winners{block.winners + place + first_row * row, out.shape.height * row},
                       out.share(part));
  }
};

inline Window window_of(const MaxPool2d& pool) {
  return {pool.kernel, pool.kernel, pool.stride};
}

// The pooling that a stage takes along; no rows when there is none.
inline Window fused_window(const FusedLayers& layers) {
  return layers.pool ? window_of(std::get<MaxPool2d>(layers.pool->layer)) : Window{0, 0, 1};
}

// A contiguous tensor without a border.
Tensor dense(float* data, const Shape& shape);

// The same as one long row, for what does not care about its shape.
Tensor one_row(float* data, int count);

// Parameters [offset, offset + count) of which each block has left its part of the gradient at
// `place`: sums the parts in the blocks' order, and updates.
void sum_and_update(const GradientPass& pass, size_t place, size_t offset, int count);

}  // namespace digitron
