#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "host/shared/augment.h"
#include "kernels/step_state.h"

namespace digitron {

// Takes the step's n samples from a resident data set, in the epoch's order, distorts them when
// there is an augmentation, and normalises them.
cudaError_t gather(float* x,                   // (n, 28, 28)
                   uint8_t* labels,            // (n)
                   const uint8_t* images,      // (count, 28, 28), aligned to 4
                   const uint8_t* all_labels,  // (count)
                   const StepState* state,     // device memory; position + n <= count
                   const Augmentation& augmentation, int n, cudaStream_t stream);

}  // namespace digitron
