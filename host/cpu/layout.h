// How the CPU engine walks a plan: its stages, their places in memory, and where all threads meet.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "host/cpu/stages/avgpool.h"
#include "host/cpu/stages/batchnorm.h"
#include "host/cpu/stages/conv.h"
#include "host/cpu/stages/dropout.h"
#include "host/cpu/stages/linear.h"
#include "host/cpu/stages/pool.h"
#include "host/cpu/stages/relu.h"

namespace digitron {

// One for each kind of layer: see make_for_layer.
using Stage = std::variant<ConvStage, MaxPoolStage, AvgPoolStage, LinearStage, ReluStage,
                           BatchNormStage, DropoutStage>;

struct CpuLayout {
  std::vector<Stage> stages;
  std::vector<std::string> names;  // of the stages: their first layers'
  MemorySizes sizes;
  PixelValues pixels{};
  size_t first_trained = 0;  // stages before this one have no parameters: backward ends here
  // Segment i is stages [segments[i], segments[i + 1]): each but the first begins with a batch
  // normalisation.
  std::vector<size_t> segments{0};
  int group_blocks = kGroupBlocks;  // that a thread takes through the network together in training
  // And in evaluation, where nothing is left in cache for a way back.
  int evaluated_blocks() const {
    return kGroupBlocks * sizes.passing_floats <= kCachedFloats ? kGroupBlocks : group_blocks;
  }
  // The first segment goes forward again on the way back, rather than that each block keeps its
  // output, which is large. What the next segment needs of it, a pooling has taken before.
  bool repeats_first_segment() const { return segment_count() > 1 && norm(1).has_pool(); }

  // The first stage, whose sums threads share by columns before the blocks set out; null where that
  // is no linear layer.
  const LinearStage* first_linear() const { return std::get_if<LinearStage>(&stages.front()); }

  int segment_count() const { return static_cast<int>(segments.size()) - 1; }
  size_t segment_begin(int segment) const { return segments[static_cast<size_t>(segment)]; }
  // The batch normalisation that a segment, not the first, begins with.
  const BatchNormStage& norm(int segment) const {
    return std::get<BatchNormStage>(stages[segment_begin(segment)]);
  }
  const Slot& input() const;   // the images
  const Slot& logits() const;  // (classes)
  int classes() const { return logits().shape.count(); }
};

// Of each channel, as a multiplication and an addition.
PixelValues pixel_values(const PixelForm& form);

CpuLayout make_cpu_layout(const Plan& plan);

}  // namespace digitron
