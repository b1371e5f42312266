// All weights at once, from what the samples left (n records):
//
//   dw[o][i] = sum over n of d[n][o] * x[n][i]      of a linear layer, a tile a block:
//   weight_tile.h g[k]     = sum over n of record[n][k]           of a convolution, and of all
//   biases
//
// each in the order of the samples, then the optimiser's update (update_element.h). The last block
// adds up the losses. For LeNet-5 at batch 64: 131 tiles, 22 blocks of 128 sums; reads 2.4 MB of x
// and d and 0.7 MB of sums from L2, and each parameter and its momentum once, before the samples'
// pass has ended.
#include "kernels/weight_pass.h"

#include "kernels/block_sum.h"
#include "kernels/dependent_launch.h"
#include "kernels/launch.h"
#include "kernels/weight_tile.h"

namespace digitron {

namespace {

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

}  // namespace

cudaError_t weight_pass(const WeightProgram& program, const FlatBuffers& buffers,
                        const float* records, const LossSums* losses, LossSums* metrics,
                        const UpdateRule& rule, const StepRates* rates, const StepState* state,
                        uint32_t step_in_graph, int n, bool early, cudaStream_t stream) {
  const WeightPass pass = {buffers, records, losses, metrics, rule, rates, state, step_in_graph, n};
  const LaunchShape shape = {static_cast<size_t>(program.blocks) + 1, kWeightThreads, 0, 1, early};
  return launch(shape, kernel_of(rule.kind), stream, program, pass);
}

}  // namespace digitron
