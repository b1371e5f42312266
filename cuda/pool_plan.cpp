#include "cuda/pool_plan.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

}  // namespace

PoolPlan::PoolPlan(const Context& context, const MaxPool2d& pool, const Shape& in, const Shape& out,
                   int n)
    : cudnn_(context.cudnn.get()), x_(describe_tensor(in, n)), y_(describe_tensor(out, n)) {
  check(cudnnCreatePoolingDescriptor(pool_.out()), "cudnnCreatePoolingDescriptor");
  check(
      cudnnSetPooling2dDescriptor(pool_.get(), CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_PROPAGATE_NAN,
                                  pool.kernel, pool.kernel, 0, 0, pool.stride, pool.stride),
      "cudnnSetPooling2dDescriptor");
}

void PoolPlan::forward(float* y, const float* x) const {
  check(cudnnPoolingForward(cudnn_, pool_.get(), &kOne, x_.get(), x, &kZero, y_.get(), y),
        "cudnnPoolingForward");
}

void PoolPlan::backward(float* dx, const float* dy, const float* y, const float* x) const {
  check(cudnnPoolingBackward(cudnn_, pool_.get(), &kOne, y_.get(), y, y_.get(), dy, x_.get(), x,
                             &kZero, x_.get(), dx),
        "cudnnPoolingBackward");
}

}  // namespace digitron
