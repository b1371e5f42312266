#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/step_state.h"

namespace digitron {

// How many partial sums n samples make.
size_t loss_partials(int n);

// The loss of n samples and the gradient of its mean.
cudaError_t softmax_cross_entropy(float* dlogits,         // (n, 10); may be the logits themselves
                                  LossSums* partials,     // (loss_partials(n)); advance sums them
                                  const float* logits,    // (n, 10)
                                  const uint8_t* labels,  // (n)
                                  int n,
                                  float smoothing,  // the part of a target that all classes share
                                  cudaStream_t stream);

}  // namespace digitron
