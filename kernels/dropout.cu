// Dropout, the mask computed where it is needed (host/shared/dropout.h), so that none is stored:
//
//   y[n][e] = x[n][e] * (uniform(seed, step, layer, n, e) < p ? 0 : 1 / (1 - p))
//
// Reads 4 bytes an element and writes 4. One draw of Philox serves four elements of a sample, so a
// thread takes four; their 60 multiplications take less time than the launch.
#include "kernels/kernels.h"

#include "host/shared/dropout.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

__global__ void dropout_kernel(float* y, const float* x, const StepState* state, uint32_t layer,
                               float probability, float scale, uint32_t n, uint32_t elements) {
  const uint32_t quads = dropout_quads(elements);
  const uint32_t quad = blockIdx.x * blockDim.x + threadIdx.x;
  if (quad >= n * quads) return;
  const DropoutDraw draw = {state->seed, state->step, layer};
  const RandomWords words = dropout_words(draw, quad);
  const uint32_t first = quad % quads * 4;
  const size_t at = size_t{quad / quads} * elements + first;
  for (uint32_t i = 0; i < 4 && first + i < elements; ++i) {
    y[at + i] = x[at + i] * dropout_factor(words.word[i], probability, scale);
  }
}

}  // namespace

cudaError_t dropout(float* y, const float* x, const StepState* state, uint32_t layer,
                    float probability, int n, int elements, cudaStream_t stream) {
  const auto rows = static_cast<uint32_t>(n);
  const auto count = static_cast<uint32_t>(elements);
  const size_t quads = size_t{rows} * dropout_quads(count);  // a plan keeps it under 2^30
  return launch(dropout_kernel, blocks_for(quads, kThreads), kThreads, stream, y, x, state, layer,
                probability, 1.0f / (1.0f - probability), rows, count);
}

}  // namespace digitron
