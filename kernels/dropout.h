#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/step_state.h"

namespace digitron {

// A dropout layer, forward and (with dx and dy) backward: each element times its factor, which is
// drawn again every time. Probability 0 copies.
cudaError_t dropout(float* y,                // (n, elements); may be x
                    const float* x,          // (n, elements)
                    const StepState* state,  // seed and step
                    uint32_t layer,          // its index in the plan
                    float probability, int n, int elements, cudaStream_t stream);

}  // namespace digitron
