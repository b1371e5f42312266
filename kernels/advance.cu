// The end of a step, the only writer of its state:
//
//   metrics[slot] = sum of the blocks' partial sums, in a fixed order
//   slot += 1,   step += 1,   position += n
//
// Reads 16 bytes for every 64 samples. One block: softmax_cross_entropy has left a partial sum a
// block, and this adds them up. Because it also writes the state, it must be a step's last kernel.
#include "kernels/kernels.h"

#include "kernels/block_sum.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

__global__ void advance_kernel(StepState* state, LossSums* metrics, const LossSums* partials,
                               size_t count, int n) {
  double loss = 0;
  int correct = 0;
  for (size_t i = threadIdx.x; i < count; i += blockDim.x) {
    loss += partials[i].loss;
    correct += partials[i].correct;
  }
  loss = block_sum(loss);
  correct = block_sum(correct);
  if (threadIdx.x == 0) {
    metrics[state->slot] = {loss, correct, n};
    state->slot += 1;
    state->step += 1;
    state->position += static_cast<uint32_t>(n);
  }
}

__global__ void advance_steps_kernel(StepState* state, uint32_t steps, uint32_t n) {
  state->slot += steps;
  state->step += steps;
  state->position += steps * n;
}

}  // namespace

cudaError_t advance(StepState* state, LossSums* metrics, const LossSums* partials, size_t count,
                    int n, cudaStream_t stream) {
  const int threads = count <= kWarp ? kWarp : kThreads;
  return launch(advance_kernel, 1, threads, stream, state, metrics, partials, count, n);
}

cudaError_t advance_steps(StepState* state, int steps, int n, cudaStream_t stream) {
  return launch(advance_steps_kernel, 1, 1, stream, state, static_cast<uint32_t>(steps),
                static_cast<uint32_t>(n));
}

}  // namespace digitron
