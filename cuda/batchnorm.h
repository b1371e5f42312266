// A batch normalisation at one batch size, ready to run.
#pragma once

#include "cuda/descriptors.h"
#include "cuda/operation.h"

namespace digitron {

class BatchNormOperation : public Operation {
 public:
  // Throws MachineError where cuDNN refuses the shape.
  BatchNormOperation(const OperationRequest& request, const BatchNorm2d&);

  // x (n, C, H, W), w and b (C) -> y (n, C, H, W). In training with the batch's statistics, which
  // the running ones take their share of; in evaluation with the running ones.
  void forward(const Operands& o, Pass pass) const;
  // -> dx (n, C, H, W), dw and db (C).
  void backward(const Operands& o) const;

 private:
  cudnnHandle_t cudnn_;
  TensorDescriptor x_, channels_;
};

}  // namespace digitron
