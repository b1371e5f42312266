// A convolution at one batch size, ready to run: descriptors, algorithms, workspace. With PoolPlan
// the only place where cuDNN computes.
#pragma once

#include <cstddef>

#include "cuda/context.h"
#include "cuda/descriptors.h"
#include "host/model.h"

namespace digitron {

class ConvPlan {
 public:
  // Picks the first algorithms in cuDNN's order of preference that are deterministic (unless the
  // options allow others) and need at most workspace_limit bytes. Throws MachineError where cuDNN
  // has none.
  ConvPlan(const Context& context, const Conv2d& conv, const Shape& in, const Shape& out, int n,
           size_t workspace_limit);

  // What the workspace given to the operations must at least hold.
  size_t workspace_bytes() const { return workspace_bytes_; }

  // x (n, C, H, W), w (O, C, K, K) -> y (n, O, P, Q), without the bias.
  void forward(float* y, const float* x, const float* w, const Workspace& workspace) const;
  // dy (n, O, P, Q), x (n, C, H, W) -> dw (O, C, K, K)
  void backward_weights(float* dw, const float* dy, const float* x,
                        const Workspace& workspace) const;
  // dy (n, O, P, Q), w (O, C, K, K) -> dx (n, C, H, W)
  void backward_input(float* dx, const float* dy, const float* w, const Workspace& workspace) const;

 private:
  using FilterDescriptor = Unique<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
  using ConvDescriptor = Unique<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;

  void describe(const Conv2d& conv, const Shape& in, const Shape& out, bool tf32);
  void choose_algorithms(bool deterministic, size_t workspace_limit);

  cudnnHandle_t cudnn_;
  TensorDescriptor x_, y_;
  FilterDescriptor w_;
  ConvDescriptor conv_;
  cudnnConvolutionFwdAlgo_t forward_{};
  cudnnConvolutionBwdFilterAlgo_t backward_weights_{};
  cudnnConvolutionBwdDataAlgo_t backward_input_{};
  size_t workspace_bytes_ = 0;
};

}  // namespace digitron
