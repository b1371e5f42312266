#include "cuda/batchnorm_plan.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;
constexpr cudnnBatchNormMode_t kMode = CUDNN_BATCHNORM_SPATIAL;

static_assert(BatchNorm2d::kEpsilon >= CUDNN_BN_MIN_EPSILON);

}  // namespace

BatchNormPlan::BatchNormPlan(const Context& context, const Shape& shape, int n)
    : cudnn_(context.cudnn.get()),
      x_(describe_tensor(shape, n)),
      channels_(describe_tensor({shape.channels, 1, 1}, 1)) {}

// cuDNN's running variance takes the unbiased one, as PyTorch's does.
void BatchNormPlan::forward_training(float* y, const float* x, const float* w, const float* b,
                                     ChannelStatistics running, ChannelStatistics batch) const {
  check(cudnnBatchNormalizationForwardTraining(cudnn_, kMode, &kOne, &kZero, x_.get(), x, x_.get(),
                                               y, channels_.get(), w, b, BatchNorm2d::kMomentum,
                                               running.mean, running.spread, BatchNorm2d::kEpsilon,
                                               batch.mean, batch.spread),
        "cudnnBatchNormalizationForwardTraining");
}

void BatchNormPlan::forward_inference(float* y, const float* x, const float* w, const float* b,
                                      ChannelStatistics running) const {
  check(cudnnBatchNormalizationForwardInference(cudnn_, kMode, &kOne, &kZero, x_.get(), x, x_.get(),
                                                y, channels_.get(), w, b, running.mean,
                                                running.spread, BatchNorm2d::kEpsilon),
        "cudnnBatchNormalizationForwardInference");
}

void BatchNormPlan::backward(float* dx, float* dw, float* db, const float* dy, const float* x,
                             const float* w, ChannelStatistics batch) const {
  check(cudnnBatchNormalizationBackward(cudnn_, kMode, &kOne, &kZero, &kOne, &kZero, x_.get(), x,
                                        x_.get(), dy, x_.get(), dx, channels_.get(), w, dw, db,
                                        BatchNorm2d::kEpsilon, batch.mean, batch.spread),
        "cudnnBatchNormalizationBackward");
}

}  // namespace digitron
