// Fully connected layers. Forward and input gradient run lane per sample like everything else; the
// weight gradient is a matrix product over the whole batch, whose result is written once and never
// summed over blocks.
#pragma once

#include "host/cpu_vector.h"

namespace digitron::DIGITRON_ISA {

inline constexpr int kLinearTile = 12;

template <int Outputs>
void linear_forward_tile(float* y, const float* x, const float* w, const float* b, int inputs,
                         bool rectify) {
  Vec sum[Outputs];
  for (int o = 0; o < Outputs; ++o) sum[o] = broadcast(b[o]);
  for (int i = 0; i < inputs; ++i) {
    const Vec value = load(x + i * kLanes);
    for (int o = 0; o < Outputs; ++o)
      sum[o] += broadcast(w[std::ptrdiff_t{o} * inputs + i]) * value;
  }
  for (int o = 0; o < Outputs; ++o) store(y + o * kLanes, rectify ? relu(sum[o]) : sum[o]);
}

inline void linear_forward(float* y, const float* x, const float* w, const float* b, int inputs,
                           int outputs, bool rectify) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    for_each_tile(outputs, kLinearTile, [&](int o, int size) {
      with_constant<kLinearTile>(size, [&](auto Outputs) {
        linear_forward_tile<Outputs.value>(y + o * kLanes + lane, x + lane,
                                           w + std::ptrdiff_t{o} * inputs, b + o, inputs, rectify);
      });
    });
  }
}

template <int Inputs>
void linear_input_tile(float* dx, const float* dy, const float* w, int inputs, int outputs) {
  Vec sum[Inputs] = {};
  for (int o = 0; o < outputs; ++o, w += inputs) {
    const Vec d = load(dy + o * kLanes);
    for (int i = 0; i < Inputs; ++i) sum[i] += broadcast(w[i]) * d;
  }
  for (int i = 0; i < Inputs; ++i) store(dx + i * kLanes, sum[i]);
}

inline void linear_backward_input(float* dx, const float* dy, const float* w, int inputs,
                                  int outputs) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    for_each_tile(inputs, kLinearTile, [&](int i, int size) {
      with_constant<kLinearTile>(size, [&](auto Inputs) {
        linear_input_tile<Inputs.value>(dx + i * kLanes + lane, dy + lane, w + i, inputs, outputs);
      });
    });
  }
}

// A tile of dw of Outputs rows and Vectors vectors of columns, over all samples.
inline constexpr int kWeightVectors = 4;
inline constexpr int kWeightOutputs = kTileVectors / kWeightVectors;
inline constexpr int kChunkBlocks =
    16;  // 256 samples at a time, so that a chunk's columns stay in L1

// Adds to (or, for the first chunk, begins) `columns` columns of dw.
template <int Outputs, int Vectors>
void linear_weights_tile(float* dw, const float* dy, const float* xt, int inputs, int row_floats,
                         int outputs, int columns, int blocks, bool add) {
  Vec sum[Outputs][Vectors] = {};
  for (int block = 0; block < blocks; ++block, dy += outputs * kLanes) {
    for (int n = 0; n < kLanes; ++n, xt += row_floats) {
      Vec value[Vectors];
      for (int v = 0; v < Vectors; ++v) value[v] = load(xt + v * kWidth);
      for (int o = 0; o < Outputs; ++o) {
        const Vec d = broadcast(dy[o * kLanes + n]);
        for (int v = 0; v < Vectors; ++v) sum[o][v] += d * value[v];
      }
    }
  }
  for (int o = 0; o < Outputs; ++o, dw += inputs) {
    for (int v = 0; v < Vectors; ++v) {
      float* at = dw + v * kWidth;
      const int left = columns - v * kWidth;
      if (left >= kWidth) {
        store_unaligned(at, add ? load_unaligned(at) + sum[o][v] : sum[o][v]);
      } else {
        for (int i = 0; i < left; ++i) at[i] = (add ? at[i] : 0.0f) + sum[o][v][i];
      }
    }
  }
}

inline void linear_bias(float* db, const float* dy, int outputs, int first, int last, int blocks) {
  for (int o = first; o < last; ++o) {
    float sum = 0;
    for (int block = 0; block < blocks; ++block) {
      const float* lanes = dy + (std::ptrdiff_t{block} * outputs + o) * kLanes;
      Vec part = load(lanes);
      for (int lane = kWidth; lane < kLanes; lane += kWidth) part += load(lanes + lane);
      for (int i = 0; i < kWidth; ++i) sum += part[i];
    }
    db[o] = sum;
  }
}

inline void linear_backward_weights(float* dw, float* db, const float* dy, const float* xt,
                                    int inputs, int row_floats, int outputs, int first, int last,
                                    int blocks) {
  linear_bias(db, dy, outputs, first, last, blocks);
  const int vectors = (inputs + kWidth - 1) / kWidth;
  for (int block = 0; block < blocks; block += kChunkBlocks) {
    const int chunk = blocks - block < kChunkBlocks ? blocks - block : kChunkBlocks;
    for_each_tile(vectors, kWeightVectors, [&](int v, int size) {
      with_constant<kWeightVectors>(size, [&](auto Vectors) {
        for_each_tile(last - first, kWeightOutputs, [&](int o, int rows) {
          with_constant<kWeightOutputs>(rows, [&](auto Outputs) {
            linear_weights_tile<Outputs.value, Vectors.value>(
                dw + std::ptrdiff_t{first + o} * inputs + v * kWidth,
                dy + (std::ptrdiff_t{block} * outputs + first + o) * kLanes,
                xt + std::ptrdiff_t{block} * kLanes * row_floats + v * kWidth, inputs, row_floats,
                outputs, inputs - v * kWidth, chunk, block > 0);
          });
        });
      });
    });
  }
}

}  // namespace digitron::DIGITRON_ISA
