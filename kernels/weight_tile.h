// A linear layer's weights, a tile a block: 8 outputs by 64 inputs, of which each thread has four
// inputs:
//
//            64 inputs: 16 threads, 4 each
//          +--------------------------------+
//   8      | t0   t1   ...              t15 |      x[n][64] and d[n][8] of 64 samples at a time
//   rows   | t16  ...                       |      in 18 KB of shared memory
//          +--------------------------------+
#pragma once

#include "kernels/dependent_launch.h"
#include "kernels/weight_elements.h"
#include "kernels/weight_pass.h"

namespace digitron {

constexpr int kChunk = 64;  // samples whose records are in shared memory at once

// What the blocks of a pass share.
struct WeightPass {
  FlatBuffers buffers;
  const float* records;
  const LossSums* losses;
  LossSums* metrics;
  UpdateRule rule;
  const StepRates* rates;
  const StepState* state;
  uint32_t step_in_graph;
  int n;
};

// A tile of `of`'s weights.
template <OptimizerKind kKind>
__device__ void update_tile(const WeightProgram& program, const WeightPass& pass,
                            const LinearWeights& of, int tile) {
  __shared__ __align__(16) float x[kChunk][kTileInputs];
  __shared__ float d[kChunk][kTileOutputs];
  constexpr int kQuads = kTileInputs / 4;
  const int first_output = tile / of.tiles_wide * kTileOutputs;
  const int first_input = tile % of.tiles_wide * kTileInputs;
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread / kQuads;
  const int column = thread % kQuads * 4;
  const int at = of.weight + (first_output + row) * of.inputs + first_input + column;
  const int left = first_output + row < of.outputs ? of.inputs - first_input - column : 0;
  const int count = max(0, min(4, left));  // weights of this thread
  const bool aligned = count == 4 && of.inputs % 4 == 0;
  Element elements[4] = {};
  load_elements(elements, pass.buffers, at, count, aligned);
  wait_for_kernel_in_front();

  float sums[4] = {};
  for (int begin = 0; begin < pass.n; begin += kChunk) {
    const int samples = min(kChunk, pass.n - begin);
    const float* records = pass.records + size_t(begin) * size_t(program.record_floats);
    __syncthreads();  // the chunk before has been read
                      // A record holds x in whole quads; what is behind the last input nobody uses.
#pragma unroll 8
    for (int i = thread; i < samples * kQuads; i += kWeightThreads) {
      const int sample = i / kQuads, quad = i % kQuads * 4;
      if (first_input + quad >= of.inputs) continue;
      *reinterpret_cast<float4*>(&x[sample][quad]) =
          load_four(records, sample * program.record_floats + of.x + first_input + quad);
    }
#pragma unroll 4
    for (int i = thread; i < samples * kTileOutputs; i += kWeightThreads) {
      const int sample = i / kTileOutputs, output = i % kTileOutputs;
      if (first_output + output >= of.outputs) continue;
      d[sample][output] = records[sample * program.record_floats + of.d + first_output + output];
    }
    __syncthreads();
#pragma unroll 8
    for (int s = 0; s < samples; ++s) {
      const float4 values = *reinterpret_cast<const float4*>(&x[s][column]);
      const float delta = d[s][row];
      sums[0] += delta * values.x;
      sums[1] += delta * values.y;
      sums[2] += delta * values.z;
      sums[3] += delta * values.w;
    }
  }
  const StepRates rates = pass.rates[pass.state->slot + pass.step_in_graph];
#pragma unroll
  for (int k = 0; k < 4; ++k) update<kKind>(elements[k], sums[k], pass.rule, rates);
  store_elements(pass.buffers, at, elements, count, aligned);
}

}  // namespace digitron
