// Fully connected layers. Forward and input gradient run lane per sample like everything else; the
// weight gradient is a matrix product over the whole batch, whose result is written once and never
// summed over blocks.
#pragma once

#include "host/cpu/kernels/elementwise.h"
#include "host/cpu/kernels/lanes.h"
#include "host/cpu/kernels/sgd.h"
#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

inline constexpr int kLinearTile = kTileVectors / 2;
// Inputs of a tile, on the way back: with one block the weights of one cache line.
template <int Blocks>
inline constexpr int kBackwardTile = Blocks > 1 || kWidth < 16 ? kLinearTile : kLineFloats;
// So many outputs ahead a tile of one block asks for its weights, which are a row apart.
inline constexpr int kOutputsAhead = 8;

template <int Outputs, int Blocks>
void linear_forward_tile(float* y, std::ptrdiff_t y_stride, const float* x, std::ptrdiff_t x_stride,
                         const float* w, std::ptrdiff_t w_stride, const float* b, int inputs,
                         SumsUse use) {
  Vec sum[Outputs][Blocks];
  for (int o = 0; o < Outputs; ++o)
    for (int k = 0; k < Blocks; ++k) sum[o][k] = broadcast(b ? b[o] : 0.0f);
  for (int i = 0; i < inputs; ++i) {
    Vec value[Blocks];
    for (int k = 0; k < Blocks; ++k) value[k] = load(x + k * x_stride + i * kLanes);
    for (int o = 0; o < Outputs; ++o) {
      const Vec weight = broadcast(w[o * w_stride + i]);
      for (int k = 0; k < Blocks; ++k) sum[o][k] += weight * value[k];
    }
  }
  for (int o = 0; o < Outputs; ++o)
    for (int k = 0; k < Blocks; ++k) {
      float* const to = y + k * y_stride + o * kLanes;
      if (use == SumsUse::kAdd) sum[o][k] += load(to);
      store(to, use == SumsUse::kRectify ? relu(sum[o][k]) : sum[o][k]);
    }
}

inline void linear_forward(float* y, std::ptrdiff_t y_stride, const float* x,
                           std::ptrdiff_t x_stride, int blocks, const float* w,
                           std::ptrdiff_t w_stride, const float* b, int inputs, int outputs,
                           SumsUse use) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    with_constant<kGroupBlocks>(blocks, [&](auto Blocks) {
      for_each_tile(outputs, kLinearTile, [&](int o, int size) {
        with_constant<kLinearTile>(size, [&](auto Outputs) {
          linear_forward_tile<Outputs.value, Blocks.value>(
              y + o * kLanes + lane, y_stride, x + lane, x_stride, w + o * w_stride, w_stride,
              b ? b + o : nullptr, inputs, use);
        });
      });
    });
  }
}

inline void sum_parts(float* y, const float* part, std::ptrdiff_t stride, bool added, int count,
                      bool rectify) {
  const auto pair = [=](const float* at) {
    return added ? load(at) : load(at) + load(at + stride);
  };
  for (int i = 0; i < count; i += kWidth) {
    const Vec sum = pair(part + i) + pair(part + 2 * stride + i);
    store(y + i, rectify ? relu(sum) : sum);
  }
}

template <int Inputs, int Blocks>
void linear_input_tile(float* dx, std::ptrdiff_t dx_stride, const float* dy,
                       std::ptrdiff_t dy_stride, const float* w, std::ptrdiff_t w_stride,
                       int outputs) {
  Vec sum[Inputs][Blocks] = {};
  for (int o = 0; o < outputs; ++o, w += w_stride) {
    Vec d[Blocks];
    for (int k = 0; k < Blocks; ++k) d[k] = load(dy + k * dy_stride + o * kLanes);
    if constexpr (Blocks == 1) __builtin_prefetch(w + kOutputsAhead * w_stride);
#pragma GCC unroll 16
    for (int i = 0; i < Inputs; ++i) {
      const Vec weight = broadcast(w[i]);
      for (int k = 0; k < Blocks; ++k) sum[i][k] += weight * d[k];
    }
  }
  for (int i = 0; i < Inputs; ++i)
    for (int k = 0; k < Blocks; ++k) store(dx + k * dx_stride + i * kLanes, sum[i][k]);
}

inline void linear_backward_input(float* dx, std::ptrdiff_t dx_stride, const float* dy,
                                  std::ptrdiff_t dy_stride, int blocks, const float* w,
                                  std::ptrdiff_t w_stride, int inputs, int outputs) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    with_constant<kGroupBlocks>(blocks, [&](auto Blocks) {
      constexpr int kMost = kBackwardTile<Blocks.value>;
      for (int i = 0; i < inputs; i += kMost) {
        with_constant<kMost>(inputs - i < kMost ? inputs - i : kMost, [&](auto Inputs) {
          linear_input_tile<Inputs.value, Blocks.value>(
              dx + i * kLanes + lane, dx_stride, dy + lane, dy_stride, w + i, w_stride, outputs);
        });
      }
    });
  }
}

// A tile of dw of Outputs rows and Vectors vectors of columns, over all samples.
inline constexpr int kWeightVectors = 4;
inline constexpr int kWeightOutputs = kTileVectors / kWeightVectors;

// What becomes of finished sums: stored, added, or used to update the parameters.
struct WeightSink {
  float* dw;
  const SgdStep* step;
  bool add;

  // A tile of `rows` rows of dw from offset `at` on, `columns` of each; rows lie `inputs` apart in
  // dw and `stride` in sums. Not a part of every tile's code.
  [[gnu::noinline]] void take(std::ptrdiff_t at, int inputs, float* sums, int stride, int rows,
                              int columns) const {
    for (; rows > 0; --rows, at += inputs, sums += stride) {
      if (add) {
        for (int i = 0; i < columns; ++i) sums[i] += dw[at + i];
      }
      if (step) {
        sgd({step->w + at, step->v + at, step->lr, step->momentum, step->weight_decay}, sums,
            columns);
      } else {
        for (int i = 0; i < columns; ++i) dw[at + i] = sums[i];
      }
    }
  }
  // Other cores have just read this weight: ask for its line long before it is written.
  void expect(std::ptrdiff_t i) const {
    if (step) __builtin_prefetch(step->w + i, 1);
  }
};

// The tile of dw at offset `at`; dw has `columns` columns from there on.
template <int Outputs, int Vectors>
void linear_weights_tile(WeightSink sink, std::ptrdiff_t at, const float* dy,
                         std::ptrdiff_t dy_stride, const float* x_rows, int inputs, int row_floats,
                         int columns, int blocks) {
  for (int o = 0; o < Outputs; ++o)
    for (int v = 0; v < Vectors; ++v) sink.expect(at + std::ptrdiff_t{o} * inputs + v * kWidth);
  Vec sum[Outputs][Vectors] = {};
  for (int block = 0; block < blocks; ++block, dy += dy_stride) {
    for (int n = 0; n < kLanes; ++n, x_rows += row_floats) {
      Vec value[Vectors];
      for (int v = 0; v < Vectors; ++v) value[v] = load(x_rows + v * kWidth);
      for (int o = 0; o < Outputs; ++o) {
        const Vec d = broadcast(dy[o * kLanes + n]);
        for (int v = 0; v < Vectors; ++v) sum[o][v] += d * value[v];
      }
    }
  }
  alignas(Vec) float sums[Outputs * Vectors * kWidth];
#pragma GCC unroll 6
  for (int o = 0; o < Outputs; ++o)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) store(sums + (o * Vectors + v) * kWidth, sum[o][v]);
  constexpr int kColumns = Vectors * kWidth;
  sink.take(at, inputs, sums, kColumns, Outputs, columns < kColumns ? columns : kColumns);
}

// NOLINTNEXTLINE(readability-non-const-parameter): the sink writes to dw
inline void linear_backward_weights(float* dw, const float* dy, std::ptrdiff_t dy_stride,
                                    const float* x_rows, int inputs, int row_floats, int outputs,
                                    int first, int last, int blocks, bool add,
                                    const SgdStep* step) {
  const WeightSink sink{dw, step, add};
  for_each_tile((last - first + kWidth - 1) / kWidth, kWeightVectors, [&](int v, int size) {
    with_constant<kWeightVectors>(size, [&](auto Vectors) {
      for_each_tile(outputs, kWeightOutputs, [&](int o, int rows) {
        with_constant<kWeightOutputs>(rows, [&](auto Outputs) {
          linear_weights_tile<Outputs.value, Vectors.value>(
              sink, std::ptrdiff_t{o} * inputs + first + v * kWidth, dy + o * kLanes, dy_stride,
              x_rows + v * kWidth, inputs, row_floats, last - first - v * kWidth, blocks);
        });
      });
    });
  });
}

// Sums over blocks first, lane by lane.
inline void linear_backward_bias(float* db, const float* dy, int outputs, int first, int last,
                                 int blocks) {
  for (int o = first; o < last; o += kLanes) {
    const int count = last - o < kLanes ? last - o : kLanes;
    alignas(Vec) float lanes[kLanes * kLanes];
    for (int i = 0; i < count * kLanes; i += kWidth) {
      Vec sum = {};
      for (int block = 0; block < blocks; ++block)
        sum += load(dy + (std::ptrdiff_t{block} * outputs + o) * kLanes + i);
      store(lanes + i, sum);
    }
    sum_lanes(db + o, lanes, count);
  }
}

}  // namespace digitron::DIGITRON_ISA
