#include "cuda/elementwise.h"

#include "cuda/check.h"
#include "kernels/kernels.h"

namespace digitron {

ReluOperation::ReluOperation(const OperationRequest& request, const ReLU&)
    : stream_(request.stream()),
      count_(static_cast<size_t>(request.out().count()) * static_cast<size_t>(request.n)) {}

void ReluOperation::forward(const Operands& o, Pass) const {
  check(relu_forward(o.y, o.x, count_, stream_), "relu_forward");
}

void ReluOperation::backward(const Operands& o) const {
  check(relu_backward(o.dy, o.y, count_, stream_), "relu_backward");
}

DropoutOperation::DropoutOperation(const OperationRequest& request, const Dropout& dropout)
    : stream_(request.stream()),
      layer_(static_cast<uint32_t>(request.layers.index)),
      probability_(dropout.probability),
      n_(request.n),
      elements_(request.out().count()) {}

void DropoutOperation::forward(const Operands& o, Pass pass) const {
  check(dropout(o.y, o.x, o.state, layer_, pass == Pass::kTraining ? probability_ : 0, n_,
                elements_, stream_),
        "dropout");
}

void DropoutOperation::backward(const Operands& o) const {
  check(dropout(o.dy, o.dy, o.state, layer_, probability_, n_, elements_, stream_), "dropout");
}

}  // namespace digitron
