#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/step_state.h"

namespace digitron {

// SGD over the whole model at once. All three buffers are flat, in the plan's layout, 16-byte
// aligned, and `count` is a multiple of 4.
cudaError_t sgd(float* w,                // (count)
                float* v,                // (count), momentum
                const float* g,          // (count)
                const StepState* state,  // lr, momentum and weight decay
                size_t count, cudaStream_t stream);

}  // namespace digitron
