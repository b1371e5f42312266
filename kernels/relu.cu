// ReLU by itself:
//
//   y[i] = max(x[i], 0),   dx[i] = y[i] > 0 ? dy[i] : 0
//
// Forward reads 4 bytes an element and writes 4; backward reads 8 and writes 4.
#include "kernels/kernels.h"

#include "kernels/launch.h"

namespace digitron {

namespace {

__global__ void relu_forward_kernel(float* y, const float* x, size_t count) {
  const size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) y[i] = x[i] <= 0.0f ? 0.0f : x[i];  // NaN passes
}

__global__ void relu_backward_kernel(float* dx, const float* y, size_t count) {
  const size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count && !(y[i] > 0.0f)) dx[i] = 0.0f;
}

}  // namespace

cudaError_t relu_forward(float* y, const float* x, size_t count, cudaStream_t stream) {
  return launch(relu_forward_kernel, blocks_for(count, kThreads), kThreads, stream, y, x, count);
}

cudaError_t relu_backward(float* dx, const float* y, size_t count, cudaStream_t stream) {
  return launch(relu_backward_kernel, blocks_for(count, kThreads), kThreads, stream, dx, y, count);
}

}  // namespace digitron
