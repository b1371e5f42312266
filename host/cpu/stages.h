// How the CPU engine walks a plan: stages, each a layer with the ReLU and the pooling behind it
// fused in, and where every tensor of a block lies in a thread's memory.
#pragma once

#include <cstddef>
#include <vector>

#include "host/core/plan.h"
#include "host/cpu/kernels.h"

namespace digitron {

// The least multiple of kLanes that holds `count` floats.
inline int whole_vectors(int count) {
  return (count + kLanes - 1) / kLanes * kLanes;
}

struct Stage {
  enum class Kind { kConv, kPool, kLinear, kRelu, kBatchNorm, kDropout };

  Kind kind;
  Shape in;
  Shape out;
  bool relu = false;
  Window conv{0, 0, 1};
  Window pool{0, 0, 1};
  int padding = 0;    // of the convolution
  size_t weight = 0;  // offsets into the flat parameter buffer
  size_t bias = 0;
  int weight_count = 0;
  float dropout = 0;       // of a dropout, or of the one behind a linear stage's ReLU
  int dropout_layer = -1;  // its index in the plan, or -1
  // The input of a batch normalisation is what a ReLU made, and nothing reads it in between: the
  // gradient goes through that ReLU here.
  bool rectified = false;
  bool relu_behind = false;  // of the stage before it

  // A pooled convolution makes this many of its rows at a time, in a scratch tensor that stays in
  // cache.
  int forward_rows = 0;
  int backward_rows = 0;

  size_t winner = 0;    // into a block's winners
  size_t dw_lanes = 0;  // into a block's floats: weights, then biases, one vector each
  size_t partial = 0;   // into a block's partial gradients: weights, then biases
  size_t xt = 0;        // of a linear stage, in floats a block: see CpuLayout
  size_t dy = 0;
  size_t moments = 0;    // of a batch normalisation: into a block's moments
  size_t constants = 0;  // into a thread's constants: see BatchNormConstants
  size_t running = 0;    // the running means, into the flat buffer of running statistics
  size_t running_variance = 0;

  int row_floats() const { return whole_vectors(in.count()); }
  // The convolution's output that pooling reads; rows and columns it would drop are never computed.
  Shape conv_out() const {
    if (pool.rows == 0) return out;
    return {out.channels, out.height * pool.rows, out.width * pool.rows};
  }
};

// One tensor of a block, with a border for the padded convolution that reads it.
struct Slot {
  Shape shape;
  int border = 0;
  size_t offset = 0;    // of the values, in a block's floats
  size_t gradient = 0;  // of their gradient, likewise

  size_t floats() const {
    return size_t(shape.channels) * (shape.height + 2 * border) * (shape.width + 2 * border) *
           kLanes;
  }
  // Views at base: inside the border, or with the border as part of the tensor.
  Tensor inside(float* base) const;
  Tensor bordered(float* base) const;
};

inline constexpr int kStripBlocks = 16;

struct CpuLayout {
  std::vector<Stage> stages;
  std::vector<Slot> slots;  // slots[s] is the input of stage s, the last one the logits
  int first_trained = 0;    // stages before this one have no parameters, nor have those before it
  // A batch normalisation needs the statistics of the whole batch, so there all threads meet.
  // Segment i is stages [segments[i], segments[i + 1]): each but the first begins with one.
  std::vector<int> segments{0};
  int segment_count() const { return static_cast<int>(segments.size()) - 1; }

  // Blocks that a thread takes through the network together: as many as linear layers like, unless
  // convolutions need the cache for one.
  int group_blocks = kGroupBlocks;

  // The memory of one block on its way. In one segment a thread has group_blocks of them and uses
  // them again and again, while they are in cache; in several, every block of a batch has its own.
  size_t pass_floats = 0;
  size_t pass_winners = 0;
  size_t scratch = 0;
  // When the first stage is linear its inputs are the images: every thread makes the columns that
  // it needs itself, for kStripBlocks blocks at a time, rather than fetch them from another core.
  size_t strip_floats = 0;

  size_t constants_floats = 0;  // of batch normalisations, for every thread

  // Memory of a whole batch, a block's share of it.
  size_t block_moments = 0;
  size_t block_partials = 0;  // partial gradients of convolutions and batch normalisations
  size_t block_floats = 0;    // for every linear stage, its inputs one sample a row, and its dy
};

// Constants of one batch normalisation, (C) each.
struct BatchNormConstants {
  float* center;
  float* inverse;  // 1 / deviation
  float* scale;
  float* shift;
  float* slope;
  float* offset;

  static constexpr size_t kArrays = 6;
  BatchNormConstants(float* base, size_t channels)
      : center(base),
        inverse(center + channels),
        scale(inverse + channels),
        shift(scale + channels),
        slope(shift + channels),
        offset(slope + channels) {}
};

CpuLayout make_cpu_layout(const Plan& plan);

}  // namespace digitron
