#include "cuda/convolution.h"

#include <algorithm>

#include "host/core/error.h"
#include "kernels/kernels.h"

namespace digitron {

namespace {

template <class Algorithm>
Algorithm chosen(const std::vector<ConvAlgorithm>& algorithms) {
  return static_cast<Algorithm>(algorithms.front().id);
}

}  // namespace

ConvolutionOperation::ConvolutionOperation(const OperationRequest& request, const Conv2d& conv)
    : stream_(request.stream()),
      cudnn_(request.context.cudnn.get()),
      tf32_(request.context.options.tf32),
      deterministic_(request.context.options.deterministic),
      n_(request.n),
      channels_(request.out().channels),
      plane_(request.out().plane()),
      relu_(request.layers.relu),
      x_(describe_tensor(request.in(), n_)),
      y_(describe_tensor(request.out(), n_)) {
  check(cudnnCreateFilterDescriptor(w_.out()), "cudnnCreateFilterDescriptor");
  check(cudnnSetFilter4dDescriptor(w_.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, channels_,
                                   request.in().channels, conv.kernel, conv.kernel),
        "cudnnSetFilter4dDescriptor");
  const size_t limit = request.workspace_limit;
  forward_ = make_direction(ConvDirection::kForward, conv, limit);
  if (!request.trains) return;
  backward_weights_ = make_direction(ConvDirection::kBackwardWeights, conv, limit);
  if (request.layers.layer->input_gradient) {
    backward_input_ = make_direction(ConvDirection::kBackwardInput, conv, limit);
  }
}

ConvolutionOperation::Direction ConvolutionOperation::make_direction(ConvDirection which,
                                                                     const Conv2d& conv,
                                                                     size_t workspace_limit) {
  Direction direction;
  check(cudnnCreateConvolutionDescriptor(direction.conv.out()), "cudnnCreateConvolutionDescriptor");
  check(
      cudnnSetConvolution2dDescriptor(direction.conv.get(), conv.padding, conv.padding, conv.stride,
                                      conv.stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
      "cudnnSetConvolution2dDescriptor");
  // cuDNN's default would take TF32 on its own.
  check(cudnnSetConvolutionMathType(direction.conv.get(),
                                    tf32_ ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
        "cudnnSetConvolutionMathType");
  direction.algorithms =
      conv_algorithms(cudnn_, {x_.get(), w_.get(), direction.conv.get(), y_.get()}, which,
                      deterministic_, workspace_limit);
  take_math(direction);
  return direction;
}

// With TF32 an algorithm runs as cuDNN has offered it; without, FMA stands.
void ConvolutionOperation::take_math(Direction& direction) const {
  if (!tf32_) return;
  check(cudnnSetConvolutionMathType(direction.conv.get(), direction.algorithms.front().math),
        "cudnnSetConvolutionMathType");
}

// All that is preferred, and else the first, so that what gives way finds room for the next.
size_t ConvolutionOperation::workspace_bytes() const {
  size_t bytes = 0;
  for (const Direction* direction : {&forward_, &backward_weights_, &backward_input_}) {
    for (const ConvAlgorithm& algorithm : direction->algorithms) {
      if (algorithm.preferred || &algorithm == direction->algorithms.data()) {
        bytes = std::max(bytes, algorithm.workspace_bytes);
      }
    }
  }
  return bytes;
}

template <class Run>
void ConvolutionOperation::settle(Direction& direction, const char* call,
                                  const Workspace& workspace, const Run& run) {
  std::erase_if(direction.algorithms, [&](const ConvAlgorithm& algorithm) {
    return algorithm.workspace_bytes > workspace.bytes;
  });
  for (;;) {
    const cudnnStatus_t status = run();
    const bool refused = CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
    if (!refused || direction.algorithms.size() == 1) return check(status, call);
    direction.algorithms.erase(direction.algorithms.begin());
    take_math(direction);
  }
}

void ConvolutionOperation::settle(const Operands& o) {
  settle(forward_, "cudnnConvolutionForward", o.workspace, [&] { return run_forward(o); });
  if (!backward_weights_.algorithms.empty()) {
    settle(backward_weights_, "cudnnConvolutionBackwardFilter", o.workspace,
           [&] { return run_backward_weights(o); });
  }
  if (!backward_input_.algorithms.empty()) {
    settle(backward_input_, "cudnnConvolutionBackwardData", o.workspace,
           [&] { return run_backward_input(o); });
  }
}

cudnnStatus_t ConvolutionOperation::run_forward(const Operands& o) const {
  return cudnnConvolutionForward(cudnn_, &kOne, x_.get(), o.x, w_.get(), o.w, forward_.conv.get(),
                                 chosen<cudnnConvolutionFwdAlgo_t>(forward_.algorithms),
                                 o.workspace.memory, o.workspace.bytes, &kZero, y_.get(), o.y);
}

cudnnStatus_t ConvolutionOperation::run_backward_weights(const Operands& o) const {
  return cudnnConvolutionBackwardFilter(
      cudnn_, &kOne, x_.get(), o.x, y_.get(), o.dy, backward_weights_.conv.get(),
      chosen<cudnnConvolutionBwdFilterAlgo_t>(backward_weights_.algorithms), o.workspace.memory,
      o.workspace.bytes, &kZero, w_.get(), o.dw);
}

cudnnStatus_t ConvolutionOperation::run_backward_input(const Operands& o) const {
  return cudnnConvolutionBackwardData(
      cudnn_, &kOne, w_.get(), o.w, y_.get(), o.dy, backward_input_.conv.get(),
      chosen<cudnnConvolutionBwdDataAlgo_t>(backward_input_.algorithms), o.workspace.memory,
      o.workspace.bytes, &kZero, x_.get(), o.dx);
}

void ConvolutionOperation::forward(const Operands& o, Pass) const {
  check(run_forward(o), "cudnnConvolutionForward");
  check(add_bias(o.y, o.b, n_, channels_, plane_, relu_, stream_), "add_bias");
}

void ConvolutionOperation::backward(const Operands& o) const {
  check(bias_gradient(o.db, o.dy, o.bias_partials, relu_ ? o.y : nullptr, n_, channels_, plane_,
                      stream_),
        "bias_gradient");
  check(run_backward_weights(o), "cudnnConvolutionBackwardFilter");
  if (backward_input_.algorithms.empty()) return;
  check(run_backward_input(o), "cudnnConvolutionBackwardData");
}

std::vector<Detail> ConvolutionOperation::details(const std::string& group,
                                                  const std::string& layer) const {
  std::vector<Detail> details;
  const auto add = [&](ConvDirection which, const Direction& direction) {
    if (direction.algorithms.empty()) return;
    details.push_back({group, layer + " " + direction_name(which),
                       algorithm_name(which, direction.algorithms.front().id)});
  };
  add(ConvDirection::kForward, forward_);
  add(ConvDirection::kBackwardWeights, backward_weights_);
  add(ConvDirection::kBackwardInput, backward_input_);
  return details;
}

}  // namespace digitron
