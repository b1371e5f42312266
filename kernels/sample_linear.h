// A linear layer for the kSamples samples of a group, each with its x in shared memory. A weight
// that has been read serves all of them.
//
//   y[o]  = dropout(relu(sum over i of w[o][i] * x[i] + b[o]))
//   dx[i] = sum over o of w[o][i] * dz[o]
//
// Forward, a warp has four outputs at a time, 16 warps apart: its lanes take the inputs in turn,
// and shuffles add up. Backward, a thread has four inputs and a slice of the outputs; the next
// stage adds the slices in their order.
#pragma once

#include "kernels/block_group.h"
#include "kernels/sample_dropout.h"
#include "kernels/sample_program.h"
#include "kernels/warp_sum.h"

namespace digitron {

template <int kWidth>
struct Lanes {
  float value[kWidth];
};

template <int kWidth>
__device__ __forceinline__ Lanes<kWidth> load(const float* from) {
  if constexpr (kWidth == 4) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    return {{four.x, four.y, four.z, four.w}};
  } else {
    return {{*from}};
  }
}

// What a linear layer of a group works on: the memory of a sample is `stride` floats behind the one
// before.
struct LinearGroup {
  float* memory;
  int stride;
};

// y of this part's outputs, in every part, or of all. w: (outputs, inputs), in global or in shared
// memory; with kWidth 4 its rows and x are aligned to 16 bytes. draw: of the group's first sample.
template <int kSamples, int kWidth, class G>
__device__ __forceinline__ void linear_forward(const SampleOp& op, const Image& x,
                                               const LinearGroup& at, const float* w,
                                               const float* b, const SampleDraw& draw,
                                               const G& group) {
  constexpr int kOutputs = 4;
  const int inputs = op.channels * op.height * op.width;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const Range own = op.split ? group.share(op.out_channels) : Range{0, op.out_channels};
  for (int first = own.first + static_cast<int>(threadIdx.x) / kWarp; first < own.last;
       first += kOutputs * warps) {
    float sums[kOutputs * kSamples] = {};
#pragma unroll kSamples == 1 ? 2 : 1
    for (int i = lane * kWidth; i < inputs; i += kWarp * kWidth) {
      Lanes<kWidth> values[kSamples];
#pragma unroll
      for (int s = 0; s < kSamples; ++s) {
        values[s] = load<kWidth>(at.memory + s * at.stride + x.offset + i);
      }
#pragma unroll
      for (int k = 0; k < kOutputs; ++k) {
        const int o = min(first + k * warps, own.last - 1);  // the last ones are not used
        const Lanes<kWidth> weights = load<kWidth>(w + o * inputs + i);
#pragma unroll
        for (int s = 0; s < kSamples; ++s) {
#pragma unroll
          for (int v = 0; v < kWidth; ++v)
            sums[k * kSamples + s] += weights.value[v] * values[s].value[v];
        }
      }
    }
    const float sum = warp_sums<kOutputs * kSamples>(sums, lane);
    constexpr int kLanes = kWarp / (kOutputs * kSamples);  // that have the same sum
    const int k = lane / kLanes / kSamples;
    const int s = lane / kLanes % kSamples;
    const int o = first + k * warps;
    if (lane % kLanes != 0 || o >= own.last) continue;
    float y = sum + b[o];
    if (op.relu && y <= 0.0f) y = 0;  // NaN passes
    if (op.dropout_layer >= 0) {
      y *= dropout_factor(
          op, {draw.seed, draw.step, draw.row + static_cast<uint32_t>(s), draw.training}, o);
    }
    float* const to = at.memory + s * at.stride + op.y.offset + o;
    if (op.split) {
      group.store(to, y);
    } else {
      *to = y;
    }
  }
}

// dx of this part's slices, in every part, or of all: the dy of the op before.
template <int kSamples, int kWidth, class G>
__device__ __forceinline__ void linear_input(const SampleOp& op, const Slices& dx,
                                             const LinearGroup& at, const float* w,
                                             const G& group) {
  const int inputs = op.channels * op.height * op.width;
  const int columns = inputs / kWidth;
  const Range own = op.split ? group.share(dx.slices) : Range{0, dx.slices};
  for (int item = static_cast<int>(threadIdx.x); item < own.count() * columns;
       item += static_cast<int>(blockDim.x)) {
    int column = item;
    const int slice = own.first + op.by_quads.divide(column);
    const int last = op.out_channels * (slice + 1) / dx.slices;
    Lanes<kWidth> sums[kSamples] = {};
#pragma unroll kSamples == 1 ? 4 : 2
    for (int o = op.out_channels * slice / dx.slices; o < last; ++o) {
      const Lanes<kWidth> weights = load<kWidth>(w + o * inputs + column * kWidth);
#pragma unroll
      for (int s = 0; s < kSamples; ++s) {
        const float d = at.memory[s * at.stride + op.dz.offset + o];
#pragma unroll
        for (int v = 0; v < kWidth; ++v) sums[s].value[v] += weights.value[v] * d;
      }
    }
#pragma unroll
    for (int s = 0; s < kSamples; ++s) {
      float* const to = at.memory + s * at.stride + dx.offset + slice * dx.slice + column * kWidth;
#pragma unroll
      for (int v = 0; v < kWidth; ++v) {
        if (op.split) {
          group.store(to + v, sums[s].value[v]);
        } else {
          to[v] = sums[s].value[v];
        }
      }
    }
  }
}

}  // namespace digitron
