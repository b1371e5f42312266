#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace digitron {

// A ReLU that follows no convolution or linear layer, and so has not been folded into a bias.
cudaError_t relu_forward(float* y,        // (count)
                         const float* x,  // (count)
                         size_t count, cudaStream_t stream);

cudaError_t relu_backward(float* dx,       // (count), dy before: in place
                          const float* y,  // (count)
                          size_t count, cudaStream_t stream);

}  // namespace digitron
