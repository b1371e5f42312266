#include "cuda/pooling.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

}  // namespace

PoolingOperation::PoolingOperation(const OperationRequest& request, const MaxPool2d& pool)
    : PoolingOperation(request, CUDNN_POOLING_MAX_DETERMINISTIC, pool.kernel, pool.stride) {}

PoolingOperation::PoolingOperation(const OperationRequest& request, const AvgPool2d& pool)
    : PoolingOperation(request, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, pool.kernel,
                       pool.stride) {}

PoolingOperation::PoolingOperation(const OperationRequest& request, cudnnPoolingMode_t mode,
                                   int kernel, int stride)
    : cudnn_(request.context.cudnn.get()),
      x_(describe_tensor(request.in(), request.n)),
      y_(describe_tensor(request.out(), request.n)) {
  check(cudnnCreatePoolingDescriptor(pool_.out()), "cudnnCreatePoolingDescriptor");
  check(cudnnSetPooling2dDescriptor(pool_.get(), mode, CUDNN_PROPAGATE_NAN, kernel, kernel, 0, 0,
                                    stride, stride),
        "cudnnSetPooling2dDescriptor");
}

void PoolingOperation::forward(const Operands& o, Pass) const {
  check(cudnnPoolingForward(cudnn_, pool_.get(), &kOne, x_.get(), o.x, &kZero, y_.get(), o.y),
        "cudnnPoolingForward");
}

void PoolingOperation::backward(const Operands& o) const {
  check(cudnnPoolingBackward(cudnn_, pool_.get(), &kOne, y_.get(), o.y, y_.get(), o.dy, x_.get(),
                             o.x, &kZero, x_.get(), o.dx),
        "cudnnPoolingBackward");
}

}  // namespace digitron
