// What every layer's operation on the GPU is given, and what it may leave out.
#pragma once

#include <vector>

#include "cuda/context.h"
#include "host/core/fusion.h"
#include "kernels/step_state.h"

namespace digitron {

// The factors by which cuDNN and cuBLAS scale what they make, and what is there before.
inline constexpr float kOne = 1;
inline constexpr float kZero = 0;

// What a forward pass is for: evaluation uses running statistics and drops nothing.
enum class Pass { kTraining, kEvaluation };

// What an operation is made for.
struct OperationRequest {
  const Context& context;
  const FusedLayers& layers;  // the layer, and the ReLU that it takes along
  int n;                      // samples of the batch
  bool trains;                // else only forward passes follow
  size_t workspace_limit;     // bytes

  const Shape& in() const { return layers.layer->in; }
  const Shape& out() const { return layers.layer->out; }
  cudaStream_t stream() const { return context.stream.get(); }
};

// Statistics of the channels, (C) each: running ones (mean, variance), or a batch's own that
// forward leaves to backward (mean, 1 / deviation).
struct ChannelStatistics {
  float* mean = nullptr;
  float* spread = nullptr;
};

// Device memory of one layer in one pass. What a layer does not have is null.
struct Operands {
  const float* x = nullptr;  // (n, in)
  float* y = nullptr;        // (n, out)
  const float* w = nullptr;
  const float* b = nullptr;
  float* dw = nullptr;
  float* db = nullptr;
  float* dy = nullptr;  // (n, out); operations in place make the gradient of the input here
  float* dx = nullptr;  // (n, in); scratch where nobody needs it
  ChannelStatistics running = {};
  ChannelStatistics batch = {};
  const StepState* state = nullptr;
  float* bias_partials = nullptr;  // scratch, see kernels
  Workspace workspace = {};
};

// The defaults of an operation. One has besides
//   forward(operands, pass)   x -> y
//   backward(operands)        dy -> dx, dw, db, of what a forward pass in training has left
// which a layer without parameters is only asked for where it has an input gradient.
struct Operation {
  static constexpr bool kInPlace = false;  // backward leaves the input's gradient in dy

  // What the workspace must at least hold.
  size_t workspace_bytes() const { return 0; }
  // Settles which algorithms run, by running them; before anything else runs or is recorded.
  void settle(const Operands&) {}
  // The algorithms it has chosen.
  std::vector<Detail> details(const std::string& /*group*/, const std::string& /*layer*/) const {
    return {};
  }
};

}  // namespace digitron
