// Layers that treat each value by itself, through kernels of ours.
#pragma once

#include "cuda/check.h"
#include "cuda/operation.h"
#include "kernels/kernels.h"

namespace digitron {

// A ReLU that follows no convolution or linear layer, and so is not computed with it.
class ReluOperation : public Operation {
 public:
  static constexpr bool kInPlace = true;

  ReluOperation(const OperationRequest& request, const ReLU&)
      : stream_(request.stream()),
        count_(static_cast<size_t>(request.out().count()) * static_cast<size_t>(request.n)) {}

  void forward(const Operands& o, Pass) const {
    check(relu_forward(o.y, o.x, count_, stream_), "relu_forward");
  }
  void backward(const Operands& o) const {
    check(relu_backward(o.dy, o.y, count_, stream_), "relu_backward");
  }

 private:
  cudaStream_t stream_;
  size_t count_;
};

// Draws its factors again in each direction. In evaluation it copies.
class DropoutOperation : public Operation {
 public:
  static constexpr bool kInPlace = true;

  DropoutOperation(const OperationRequest& request, const Dropout& layer)
      : stream_(request.stream()),
        layer_(static_cast<uint32_t>(request.layers.index)),
        probability_(layer.probability),
        n_(request.n),
        elements_(request.out().count()) {}

  void forward(const Operands& o, Pass pass) const {
    drop(o.y, o.x, o.state, pass == Pass::kTraining ? probability_ : 0);
  }
  void backward(const Operands& o) const { drop(o.dy, o.dy, o.state, probability_); }

 private:
  void drop(float* y, const float* x, const StepState* state, float probability) const {
    check(dropout(y, x, state, layer_, probability, n_, elements_, stream_), "dropout");
  }

  cudaStream_t stream_;
  uint32_t layer_;  // its index in the plan, which it draws with
  float probability_;
  int n_, elements_;
};

}  // namespace digitron
