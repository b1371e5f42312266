// A convolution at one batch size, ready to run: descriptors and algorithms.
#pragma once

#include <cstddef>

#include "cuda/context.h"
#include "cuda/conv_algorithms.h"
#include "cuda/descriptors.h"
#include "host/core/model.h"

namespace digitron {

// Which directions of a layer a network needs.
struct Directions {
  bool backward;  // the gradient of the weights
  bool to_input;  // and of the input: not of the first layer that is trained
};

class ConvPlan {
 public:
  // Asks cuDNN for the algorithms that the directions may take in workspace_limit bytes. Throws
  // MachineError where it has none.
  ConvPlan(const Context& context, const Conv2d& conv, const Shape& in, const Shape& out, int n,
           Directions needed, size_t workspace_limit);

  // What the workspace given to the operations must at least hold.
  size_t workspace_bytes() const;

  // Runs each direction once, on any values: an algorithm that cuDNN has offered and now refuses
  // gives way to the next. To be called before anything else runs or is recorded. The arguments are
  // those of the operations below; dw and dx are needed where these directions are.
  void settle(float* y, float* dw, float* dx, const float* dy, const float* x, const float* w,
              const Workspace& workspace);

  // x (n, C, H, W), w (O, C, K, K) -> y (n, O, P, Q), without the bias.
  void forward(float* y, const float* x, const float* w, const Workspace& workspace) const;
  // dy (n, O, P, Q), x (n, C, H, W) -> dw (O, C, K, K)
  void backward_weights(float* dw, const float* dy, const float* x,
                        const Workspace& workspace) const;
  // dy (n, O, P, Q), w (O, C, K, K) -> dx (n, C, H, W)
  void backward_input(float* dx, const float* dy, const float* w, const Workspace& workspace) const;

  // What has been chosen: {"algorithms", "conv1 forward", "IMPLICIT_PRECOMP_GEMM"}.
  std::vector<Detail> details(const std::string& group, const std::string& layer) const;

 private:
  using FilterDescriptor = Unique<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
  using ConvDescriptor = Unique<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;

  // A direction, with a descriptor of its own, since the algorithm brings its math type.
  struct Direction {
    ConvDescriptor conv;
    std::vector<ConvAlgorithm> algorithms;  // that may yet be taken, the chosen one first
  };

  Direction make_direction(ConvDirection direction, const Conv2d& conv, size_t workspace_limit);
  void take_math(Direction& direction) const;
  template <class Run>
  void settle(Direction& direction, const char* call, const Workspace& workspace, const Run& run);
  cudnnStatus_t run_forward(float* y, const float* x, const float* w, const Workspace& ws) const;
  cudnnStatus_t run_backward_weights(float* dw, const float* dy, const float* x,
                                     const Workspace& ws) const;
  cudnnStatus_t run_backward_input(float* dx, const float* dy, const float* w,
                                   const Workspace& ws) const;

  cudnnHandle_t cudnn_;
  bool tf32_, deterministic_;
  TensorDescriptor x_, y_;
  FilterDescriptor w_;
  Direction forward_, backward_weights_, backward_input_;  // without algorithms: not needed
};

}  // namespace digitron
