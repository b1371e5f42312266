// A max-pooling at one batch size, ready to run.
#pragma once

#include "cuda/context.h"
#include "cuda/descriptors.h"
#include "host/core/model.h"

namespace digitron {

class PoolPlan {
 public:
  // Throws MachineError where cuDNN refuses the window.
  PoolPlan(const Context& context, const MaxPool2d& pool, const Shape& in, const Shape& out, int n);

  // x (n, C, H, W) -> y (n, C, P, Q)
  void forward(float* y, const float* x) const;
  // dy and y (n, C, P, Q), x (n, C, H, W) -> dx (n, C, H, W). A window's gradient goes to one
  // element; which of equal ones is cuDNN's choice, and always the same.
  void backward(float* dx, const float* dy, const float* y, const float* x) const;

 private:
  cudnnHandle_t cudnn_;
  TensorDescriptor x_, y_;
  Unique<cudnnPoolingDescriptor_t, cudnnDestroyPoolingDescriptor> pool_;
};

}  // namespace digitron
