// Every kernel's launcher. Pointers are device memory, float32 and dense; shapes stand beside them,
// n is the samples of a step. A launcher enqueues on the stream and returns what the launch says:
// it neither waits nor allocates. A kernel that sums does so in one fixed order, without atomics.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "host/shared/augment.h"
#include "host/shared/optimizer.h"
#include "host/shared/pixel_form.h"
#include "kernels/step_state.h"

namespace digitron {

// Takes the step's n samples from a resident data set, in the epoch's order, distorts them when
// there is an augmentation, and normalises them.
cudaError_t gather(float* x,                   // (n, channels, height, width)
                   uint8_t* labels,            // (n)
                   const uint8_t* images,      // (count, channels, height, width), aligned to 4
                   const uint8_t* all_labels,  // (count)
                   const StepState* state,     // position + n <= count
                   const PixelForm& form, const Augmentation& augmentation, int n,
                   cudaStream_t stream);

// y += b, and with `relu` y = max(y, 0), for the outputs of a convolution or a linear layer (whose
// plane is 1).
cudaError_t add_bias(float* y,        // (n, channels, plane), in place
                     const float* b,  // (channels)
                     int n, int channels, int plane, bool relu, cudaStream_t stream);

// Floats of scratch memory that bias_gradient takes.
size_t bias_partials(int n, int channels, int plane);

// The bias's gradient, and backward through the ReLU that add_bias has folded in.
cudaError_t bias_gradient(float* db,        // (channels)
                          float* dy,        // (n, channels, plane), in place: zeroed where y <= 0
                          float* partials,  // (bias_partials(n, channels, plane))
                          const float* y,   // (n, channels, plane), or null: there is no ReLU
                          int n, int channels, int plane, cudaStream_t stream);

// A ReLU that follows no convolution or linear layer, and so has not been folded into a bias.
cudaError_t relu_forward(float* y,        // (count)
                         const float* x,  // (count)
                         size_t count, cudaStream_t stream);

cudaError_t relu_backward(float* dx,       // (count), dy before: in place
                          const float* y,  // (count)
                          size_t count, cudaStream_t stream);

// A dropout layer, forward and (with dx and dy) backward: each element times its factor, which is
// drawn again every time. Probability 0 copies.
cudaError_t dropout(float* y,                // (n, elements); may be x
                    const float* x,          // (n, elements)
                    const StepState* state,  // seed and step
                    uint32_t layer,          // its index in the plan
                    float probability, int n, int elements, cudaStream_t stream);

// How many partial sums n samples make.
size_t loss_partials(int n);

// The loss of n samples and the gradient of its mean.
cudaError_t softmax_cross_entropy(float* dlogits,      // (n, classes); may be the logits themselves
                                  LossSums* partials,  // (loss_partials(n)); advance sums them
                                  const float* logits,    // (n, classes)
                                  const uint8_t* labels,  // (n)
                                  int n, int classes,
                                  float smoothing,  // the part of a target that all classes share
                                  cudaStream_t stream);

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
                           const StepRates* rates,  // one a step: rates[slot]
                           const StepState* state, size_t count, cudaStream_t stream);

// Ends a step of n samples: its metrics go to metrics[state->slot], the state to the next step.
cudaError_t advance(StepState* state,
                    LossSums* metrics,         // one a step
                    const LossSums* partials,  // (count), from softmax_cross_entropy
                    size_t count, int n, cudaStream_t stream);

// Ends `steps` steps of n samples each, whose kernels counted from where the state is and wrote
// their metrics themselves.
cudaError_t advance_steps(StepState* state, int steps, int n, cudaStream_t stream);

}  // namespace digitron
