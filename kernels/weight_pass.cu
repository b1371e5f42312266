// All weights at once, from what the samples left (n records):
//
//   dw[o][i] = sum over n of d[n][o] * x[n][i]      of a linear layer
//   g[k]     = sum over n of record[n][k]           of a convolution, and of all biases
//
// each in the order of the samples, then the optimiser's update (update_element.h). A block has a
// tile of a linear layer, 8 outputs by 64 inputs, of which each thread has four inputs:
//
//            64 inputs: 16 threads, 4 each
//          +--------------------------------+
//   8      | t0   t1   ...              t15 |      x[n][64] and d[n][8] of 64 samples at a time
//   rows   | t16  ...                       |      in 18 KB of shared memory
//          +--------------------------------+
//
// or 128 of the sums; the last block adds up the losses. For LeNet-5 at batch 64: 131 tiles, 22
// blocks of sums; reads 2.4 MB of x and d and 0.7 MB of sums from L2, and each parameter and its
// momentum once, before the samples' pass has ended.
#include "kernels/weight_pass.h"

#include "kernels/block_sum.h"
#include "kernels/dependent_launch.h"
#include "kernels/launch.h"
#include "kernels/weight_elements.h"

namespace digitron {

namespace {

constexpr int kTileOutputs = 8;
constexpr int kTileInputs = 64;
constexpr int kChunk = 64;  // samples at a time
constexpr int kWeightThreads = 128;

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

// Parameters whose gradients stand in the records.
template <OptimizerKind kKind>
__device__ void update_sums(const WeightProgram& program, const WeightPass& pass,
                            const SummedParameters& of, int block) {
  const int i = block * kWeightThreads + static_cast<int>(threadIdx.x);
  const bool mine = i < of.count;
  Element element = {};
  if (mine) element = load_element(pass.buffers, of.parameter + i);
  wait_for_kernel_in_front();
  if (!mine) return;
  const float* from = pass.records + of.record + i;
  float sum = 0;
#pragma unroll 32
  for (int s = 0; s < pass.n; ++s) sum += from[size_t(s) * size_t(program.record_floats)];
  update<kKind>(element, sum, pass.rule, pass.rates[pass.state->slot + pass.step_in_graph]);
  store_element(pass.buffers, of.parameter + i, element);
}

__device__ void add_losses(const WeightPass& pass) {
  wait_for_kernel_in_front();
  double loss = 0;
  int correct = 0;
  for (int s = static_cast<int>(threadIdx.x); s < pass.n; s += kWeightThreads) {
    loss += pass.losses[s].loss;
    correct += pass.losses[s].correct;
  }
  loss = block_sum(loss);
  correct = block_sum(correct);
  if (threadIdx.x == 0) {
    pass.metrics[pass.state->slot + pass.step_in_graph] = {loss, correct, pass.n};
  }
}

template <OptimizerKind kKind>
__global__ void __launch_bounds__(kWeightThreads)
    weight_pass_kernel(const __grid_constant__ WeightProgram program,
                       const __grid_constant__ WeightPass pass) {
  const int block = static_cast<int>(blockIdx.x);
  for (int i = program.summed_count; i-- > 0;) {
    const SummedParameters& of = program.summed[i];
    if (block >= of.first_block && block < program.blocks) {
      return update_sums<kKind>(program, pass, of, block - of.first_block);
    }
  }
  for (int i = program.linear_count; i-- > 0;) {
    const LinearWeights& of = program.linear[i];
    if (block >= of.first_block && block < program.blocks) {
      return update_tile<kKind>(program, pass, of, block - of.first_block);
    }
  }
  add_losses(pass);
}

auto kernel_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kNesterov:
      return weight_pass_kernel<OptimizerKind::kNesterov>;
    case OptimizerKind::kAdam:
      return weight_pass_kernel<OptimizerKind::kAdam>;
    case OptimizerKind::kAdamW:
      return weight_pass_kernel<OptimizerKind::kAdamW>;
    default:
      return weight_pass_kernel<OptimizerKind::kSgd>;
  }
}

int blocks_of(int count, int size) {
  return (count + size - 1) / size;
}

}  // namespace

WeightProgram make_weight_program(const SampleProgram& program) {
  WeightProgram made;
  made.record_floats = program.record_floats;
  for (int i = 0; i < program.count; ++i) {
    const SampleOp& op = program.ops[i];
    if (op.kind != OpKind::kLinear) continue;
    const int inputs = op.channels * op.height * op.width;
    const int wide = blocks_of(inputs, kTileInputs);
    made.linear[made.linear_count++] = {op.weight,   op.out_channels, inputs, op.record_x,
                                        op.record_d, made.blocks,     wide};
    made.blocks += wide * blocks_of(op.out_channels, kTileOutputs);
  }
  const auto add = [&](int parameter, int record, int count) {
    made.summed[made.summed_count++] = {parameter, record, count, made.blocks};
    made.blocks += blocks_of(count, kWeightThreads);
  };
  for (int i = 0; i < program.count; ++i) {
    const SampleOp& op = program.ops[i];
    if (op.kind == OpKind::kConv) {
      add(op.weight, op.record_w, op.out_channels * op.channels * op.kernel * op.kernel);
      add(op.bias, op.record_b, op.out_channels);
    } else if (op.kind == OpKind::kBatchNorm) {
      add(op.weight, op.record_w, op.channels);
      add(op.bias, op.record_b, op.channels);
    } else if (op.kind == OpKind::kLinear) {
      add(op.bias, op.record_d, op.out_channels);
    }
  }
  return made;
}

cudaError_t weight_pass(const WeightProgram& program, const FlatBuffers& buffers,
                        const float* records, const LossSums* losses, LossSums* metrics,
                        const UpdateRule& rule, const StepRates* rates, const StepState* state,
                        uint32_t step_in_graph, int n, bool early, cudaStream_t stream) {
  const WeightPass pass = {buffers, records, losses, metrics, rule, rates, state, step_in_graph, n};
  const LaunchShape shape = {static_cast<size_t>(program.blocks) + 1, kWeightThreads, 0, 1, early};
  return launch(shape, kernel_of(rule.kind), stream, program, pass);
}

}  // namespace digitron
