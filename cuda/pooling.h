// A pooling at one batch size, ready to run.
#pragma once

#include "cuda/descriptors.h"
#include "cuda/operation.h"

namespace digitron {

class PoolingOperation : public Operation {
 public:
  // Throws MachineError where cuDNN refuses the window. Of equal values in a window, which one's
  // gradient counts is cuDNN's choice, and always the same.
  PoolingOperation(const OperationRequest& request, const MaxPool2d& pool)
      : PoolingOperation(request, CUDNN_POOLING_MAX_DETERMINISTIC, pool.kernel, pool.stride) {}
  PoolingOperation(const OperationRequest& request, const AvgPool2d& pool)
      : PoolingOperation(request, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, pool.kernel,
                         pool.stride) {}

  // x (n, C, H, W) -> y (n, C, P, Q)
  void forward(const Operands& o, Pass) const {
    check(cudnnPoolingForward(cudnn_, pool_.get(), &kOne, x_.get(), o.x, &kZero, y_.get(), o.y),
          "cudnnPoolingForward");
  }
  void backward(const Operands& o) const {
    check(cudnnPoolingBackward(cudnn_, pool_.get(), &kOne, y_.get(), o.y, y_.get(), o.dy, x_.get(),
                               o.x, &kZero, x_.get(), o.dx),
          "cudnnPoolingBackward");
  }

 private:
  PoolingOperation(const OperationRequest& request, cudnnPoolingMode_t mode, int kernel, int stride)
      : cudnn_(request.context.cudnn.get()),
        x_(describe_tensor(request.in(), request.n)),
        y_(describe_tensor(request.out(), request.n)) {
    check(cudnnCreatePoolingDescriptor(pool_.out()), "cudnnCreatePoolingDescriptor");
    check(cudnnSetPooling2dDescriptor(pool_.get(), mode, CUDNN_PROPAGATE_NAN, kernel, kernel, 0, 0,
                                      stride, stride),
          "cudnnSetPooling2dDescriptor");
  }

  cudnnHandle_t cudnn_;
  TensorDescriptor x_, y_;
  Unique<cudnnPoolingDescriptor_t, cudnnDestroyPoolingDescriptor> pool_;
};

}  // namespace digitron
