#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/step_state.h"

namespace digitron {

// Ends a step of n samples: its metrics go to metrics[state->slot], the state to the next step.
cudaError_t advance(StepState* state,          // device memory
                    LossSums* metrics,         // one a step
                    const LossSums* partials,  // (count), from softmax_cross_entropy
                    size_t count, int n, cudaStream_t stream);

}  // namespace digitron
