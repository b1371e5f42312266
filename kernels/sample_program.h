// What one sample goes through in the fused step, as plain data: the plan's layers with their
// places in shared memory. cuda/sample_program.h makes it of a plan, the sample pass walks it.
//
// Offsets and strides are in floats. What is said of one sample holds for each of a group's.
#pragma once

#include <cstdint>

namespace digitron {

// Divides numbers below 2^16 by one below 2^16 with a multiplication. Exact, because magic exceeds
// 2^32 / value by less than 1, which adds less than 1 / value to the quotient.
struct Divisor {
  uint32_t value = 1;
  uint32_t magic = 0;  // 0 where the value is 1

  constexpr Divisor() = default;
  constexpr explicit Divisor(int by)
      : value(static_cast<uint32_t>(by)), magic(by == 1 ? 0 : 0xffffffffu / value + 1) {}

  // i / value; i becomes the remainder.
  constexpr int divide(int& i) const {
    if (magic == 0) {
      const int quotient = i;
      i = 0;
      return quotient;
    }
    const auto quotient = static_cast<uint32_t>((uint64_t{static_cast<uint32_t>(i)} * magic) >> 32);
    i -= static_cast<int>(quotient * value);
    return static_cast<int>(quotient);
  }
};

// (channels, rows, columns), with a border of zeros where its reader wants one: element (c, r, q)
// of what is inside is at offset + c * plane + (r + top) * row + q + left.
struct Image {
  int offset = 0;
  int row = 0;    // stride: even, where rows are read in pairs of floats
  int plane = 0;  // stride: whole rows
  int top = 0;
  int left = 0;
  Divisor by_plane, by_row;
};

// A tensor as the sum of `slices` others, that are to be added in their order: element (c, r, q) of
// slice s is at offset + s * slice + c * plane + r * row + q.
struct Slices {
  int offset = 0;
  int slices = 1;
  int slice = 0;  // stride
  int row = 0;    // stride
  int plane = 0;  // stride
  Divisor by_slices;
};

// How a stage of a convolution is divided among threads: each takes `width` columns of a row.
struct Tiling {
  int width = 0;  // kTileWidths has it
  int count = 0;  // of tiles that cover a row
  Divisor by_count;
};
inline constexpr int kTileWidths[] = {6, 10, 14};

enum class OpKind : uint8_t {
  kConv,        // with a ReLU and a max-pooling, where they follow
  kLinear,      // with a ReLU and a dropout, where they follow
  kMaxPool,     // by itself
  kAvgPool,     // likewise
  kBatchNorm,   // with a ReLU and a max-pooling, where they follow
  kElementwise  // a ReLU or a dropout by itself
};

// What a batch normalisation knows of a channel, each a plane of its statistics: the batch's mean,
// 1 / deviation, w / deviation, and the means of dy and of dy times the normalised x.
enum ChannelStatistic { kMean, kReciprocal, kScale, kMeanDelta, kMeanProduct };
inline constexpr int kChannelStatistics = 5;

// A layer of the plan and what is computed with it: x (channels, height, width) -> y (out_channels,
// out_height, out_width). What the sums of products make, before pooling and ReLU, is z.
struct SampleOp {
  OpKind kind = OpKind::kElementwise;
  bool relu = false;

  // Whether the parts of a group share the work and exchange what they make, y and for a linear
  // layer the gradient of x; otherwise each part does all of it.
  bool split = false;
  // dy is there for a part's own channels only, and dz is needed for all: parts exchange it.
  bool exchange_dz = false;
  bool own_dz = false;      // a part makes dz for its own channels only
  bool backward = false;    // a training step goes back through it
  bool input_grad = false;  //   and on to x

  int channels = 0, height = 0, width = 0;
  int out_channels = 0, out_height = 0, out_width = 0;
  int kernel = 1, pad = 0;         // of a convolution
  int z_height = 0, z_width = 0;   // likewise
  int window = 1, stride = 1;      // of a pooling
  int weight = 0, bias = 0;        // in the parameters
  float dropout = 0, gain = 1;     // probability, and what kept values are multiplied with
  int dropout_layer = -1;          // its index in the plan; below 0: there is none
  int record_x = 0, record_d = 0;  // a linear layer's x and dz in a sample's record
  int record_w = 0, record_b = 0;  // a convolution's or a normalisation's gradients there
  int weights = -1;                // shared copy of the weights; below 0: there is none
  int codes = 0;                   // winners of a max-pooling's windows, a byte each
  int statistics = 0;              // of a normalisation's channels: kChannelStatistics planes
  int running_mean = 0, running_variance = 0;       // likewise, in their flat buffer
  int cross_x = 0, cross_d = 0, cross_moments = 0;  // likewise, what crosses between segments
  Image y, dz;
  Slices z, dy, dw;
  Tiling forward, input, weight_tiles;
  Divisor by_channels, by_plane, by_width;  // of x, without borders
  Divisor by_out_plane, by_out_width;       // of y, likewise
  Divisor by_z_height;
  Divisor by_border;  // columns of dz that no window covers
  Divisor by_window;  // of a pooling whose windows lie side by side
  Divisor by_quads;   // of inputs, or by inputs that do not make quads

  // Whether windows leave behind which of their values they took.
  constexpr bool has_codes() const { return window > 1 && kind != OpKind::kAvgPool; }
};

inline constexpr int kMostOps = 12;
inline constexpr int kMostSamples = 4;      // of a group
inline constexpr int kSampleThreads = 512;  // of all the blocks of a group together

struct SampleProgram {
  int count = 0;          // of ops
  int samples = 1;        // of a group: 1, or kMostSamples where there is no convolution
  int record_floats = 0;  // what a sample leaves for the weight pass, a multiple of 4
  int cross_floats = 0;   //   and one of its segments for the next
  int sample_floats = 0;  // shared memory of a sample
  int shared_floats = 0;  //   and of a block
  Image image;
  SampleOp ops[kMostOps];
};

// A part of a training step that needs nothing of the batch but what the segment before left. A
// batch normalisation needs the whole batch, forward and back, so each begins two of them.
struct SampleSegment {
  int first = 0, last = 0;            // forward through ops [first, last)
  bool loss = false;                  // and on to the loss
  int norm = -1;                      // or a normalisation to go back through, forward once more
  int back_first = 0, back_last = 0;  // back through ops back_first - 1 to back_last
};

}  // namespace digitron
