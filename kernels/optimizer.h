#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "host/shared/optimizer.h"
#include "kernels/step_state.h"

namespace digitron {

// A training's buffers, all flat, in the plan's layout, 16-byte aligned.
struct FlatBuffers {
  float* w;        // parameters
  float* m;        // momentum
  float* v;        // second moment; null unless the optimiser has one
  float* average;  // of the parameters; null: none is kept
};

// One step of any optimiser over the whole model at once; `count` is a multiple of 4.
cudaError_t optimizer_step(const FlatBuffers& buffers,  // (count) each
                           const float* g,              // (count)
                           const UpdateRule& rule,
                           const StepRates* rates,  // device memory, one a step: rates[slot]
                           const StepState* state,  // device memory
                           size_t count, cudaStream_t stream);

}  // namespace digitron
