#include "cuda/batchnorm.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;
constexpr cudnnBatchNormMode_t kMode = CUDNN_BATCHNORM_SPATIAL;

static_assert(BatchNorm2d::kEpsilon >= CUDNN_BN_MIN_EPSILON);

}  // namespace

BatchNormOperation::BatchNormOperation(const OperationRequest& request, const BatchNorm2d&)
    : cudnn_(request.context.cudnn.get()),
      x_(describe_tensor(request.in(), request.n)),
      channels_(describe_tensor({request.in().channels, 1, 1}, 1)) {}

// cuDNN's running variance takes the unbiased one, as PyTorch's does.
void BatchNormOperation::forward(const Operands& o, Pass pass) const {
  if (pass == Pass::kEvaluation) {
    return check(cudnnBatchNormalizationForwardInference(
                     cudnn_, kMode, &kOne, &kZero, x_.get(), o.x, x_.get(), o.y, channels_.get(),
                     o.w, o.b, o.running.mean, o.running.spread, BatchNorm2d::kEpsilon),
                 "cudnnBatchNormalizationForwardInference");
  }
  check(cudnnBatchNormalizationForwardTraining(
            cudnn_, kMode, &kOne, &kZero, x_.get(), o.x, x_.get(), o.y, channels_.get(), o.w, o.b,
            BatchNorm2d::kMomentum, o.running.mean, o.running.spread, BatchNorm2d::kEpsilon,
            o.batch.mean, o.batch.spread),
        "cudnnBatchNormalizationForwardTraining");
}

void BatchNormOperation::backward(const Operands& o) const {
  check(cudnnBatchNormalizationBackward(cudnn_, kMode, &kOne, &kZero, &kOne, &kZero, x_.get(), o.x,
                                        x_.get(), o.dy, x_.get(), o.dx, channels_.get(), o.w, o.dw,
                                        o.db, BatchNorm2d::kEpsilon, o.batch.mean, o.batch.spread),
        "cudnnBatchNormalizationBackward");
}

}  // namespace digitron
