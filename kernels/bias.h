#pragma once

#include <cuda_runtime_api.h>

namespace digitron {

// y += b, and with `relu` y = max(y, 0), for the outputs of a convolution or a linear layer (whose
// plane is 1).
cudaError_t add_bias(float* y,        // (n, channels, plane), in place
                     const float* b,  // (channels)
                     int n, int channels, int plane, bool relu, cudaStream_t stream);

}  // namespace digitron
