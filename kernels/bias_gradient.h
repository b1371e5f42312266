#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace digitron {

// Floats of scratch memory that bias_gradient takes.
size_t bias_partials(int n, int channels, int plane);

// The bias's gradient, and backward through the ReLU that add_bias has folded in.
cudaError_t bias_gradient(float* db,        // (channels)
                          float* dy,        // (n, channels, plane), in place: zeroed where y <= 0
                          float* partials,  // (bias_partials(n, channels, plane))
                          const float* y,   // (n, channels, plane), or null: there is no ReLU
                          int n, int channels, int plane, cudaStream_t stream);

}  // namespace digitron
