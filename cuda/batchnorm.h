// A batch normalisation at one batch size, ready to run.
#pragma once

#include "cuda/descriptors.h"
#include "cuda/operation.h"

namespace digitron {

static_assert(BatchNorm2d::kEpsilon >= CUDNN_BN_MIN_EPSILON);

class BatchNormOperation : public Operation {
 public:
  // Throws MachineError where cuDNN refuses the shape.
  BatchNormOperation(const OperationRequest& request, const BatchNorm2d&)
      : cudnn_(request.context.cudnn.get()),
        x_(describe_tensor(request.in(), request.n)),
        channels_(describe_tensor({request.in().channels, 1, 1}, 1)) {}

  // x (n, C, H, W), w and b (C) -> y (n, C, H, W). In training with the batch's statistics, which
  // the running ones take their share of (cuDNN's running variance takes the unbiased one, as
  // PyTorch's does); in evaluation with the running ones.
  void forward(const Operands& o, Pass pass) const {
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
  // -> dx (n, C, H, W), dw and db (C).
  void backward(const Operands& o) const {
    check(
        cudnnBatchNormalizationBackward(cudnn_, kMode, &kOne, &kZero, &kOne, &kZero, x_.get(), o.x,
                                        x_.get(), o.dy, x_.get(), o.dx, channels_.get(), o.w, o.dw,
                                        o.db, BatchNorm2d::kEpsilon, o.batch.mean, o.batch.spread),
        "cudnnBatchNormalizationBackward");
  }

 private:
  static constexpr cudnnBatchNormMode_t kMode = CUDNN_BATCHNORM_SPATIAL;

  cudnnHandle_t cudnn_;
  TensorDescriptor x_, channels_;
};

}  // namespace digitron
