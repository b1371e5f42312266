// Layers that treat each value by itself, through kernels of ours.
#pragma once

#include "cuda/operation.h"

namespace digitron {

// A ReLU that follows no convolution or linear layer, and so is not computed with it.
class ReluOperation : public Operation {
 public:
  static constexpr bool kInPlace = true;

  ReluOperation(const OperationRequest& request, const ReLU&);
  void forward(const Operands& o, Pass pass) const;
  void backward(const Operands& o) const;

 private:
  cudaStream_t stream_;
  size_t count_;
};

// Draws its factors again in each direction. In evaluation it copies.
class DropoutOperation : public Operation {
 public:
  static constexpr bool kInPlace = true;

  DropoutOperation(const OperationRequest& request, const Dropout& dropout);
  void forward(const Operands& o, Pass pass) const;
  void backward(const Operands& o) const;

 private:
  cudaStream_t stream_;
  uint32_t layer_;  // its index in the plan, which it draws with
  float probability_;
  int n_, elements_;
};

}  // namespace digitron
