// A pooling at one batch size, ready to run.
#pragma once

#include "cuda/descriptors.h"
#include "cuda/operation.h"

namespace digitron {

class PoolingOperation : public Operation {
 public:
  // Throws MachineError where cuDNN refuses the window. Of equal values in a window, which one's
  // gradient counts is cuDNN's choice, and always the same.
  PoolingOperation(const OperationRequest& request, const MaxPool2d& pool);
  PoolingOperation(const OperationRequest& request, const AvgPool2d& pool);

  // x (n, C, H, W) -> y (n, C, P, Q)
  void forward(const Operands& o, Pass pass) const;
  void backward(const Operands& o) const;

 private:
  PoolingOperation(const OperationRequest& request, cudnnPoolingMode_t mode, int kernel,
                   int stride);

  cudnnHandle_t cudnn_;
  TensorDescriptor x_, y_;
  Unique<cudnnPoolingDescriptor_t, cudnnDestroyPoolingDescriptor> pool_;
};

}  // namespace digitron
