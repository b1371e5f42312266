#include "cuda/conv_plan.h"

#include <algorithm>

#include "host/core/error.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

template <class Algorithm>
Algorithm chosen(const std::vector<ConvAlgorithm>& algorithms) {
  return static_cast<Algorithm>(algorithms.front().id);
}

}  // namespace

ConvPlan::ConvPlan(const Context& context, const Conv2d& conv, const Shape& in, const Shape& out,
                   int n, Directions needed, size_t workspace_limit)
    : cudnn_(context.cudnn.get()),
      tf32_(context.options.tf32),
      deterministic_(context.options.deterministic),
      x_(describe_tensor(in, n)),
      y_(describe_tensor(out, n)) {
  check(cudnnCreateFilterDescriptor(w_.out()), "cudnnCreateFilterDescriptor");
  check(cudnnSetFilter4dDescriptor(w_.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, out.channels,
                                   in.channels, conv.kernel, conv.kernel),
        "cudnnSetFilter4dDescriptor");
  forward_ = make_direction(ConvDirection::kForward, conv, workspace_limit);
  if (needed.backward) {
    backward_weights_ = make_direction(ConvDirection::kBackwardWeights, conv, workspace_limit);
  }
  if (needed.to_input) {
    backward_input_ = make_direction(ConvDirection::kBackwardInput, conv, workspace_limit);
  }
}

ConvPlan::Direction ConvPlan::make_direction(ConvDirection which, const Conv2d& conv,
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
void ConvPlan::take_math(Direction& direction) const {
  if (!tf32_) return;
  check(cudnnSetConvolutionMathType(direction.conv.get(), direction.algorithms.front().math),
        "cudnnSetConvolutionMathType");
}

// All that is preferred, and else the first, so that what gives way finds room for the next.
size_t ConvPlan::workspace_bytes() const {
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
void ConvPlan::settle(Direction& direction, const char* call, const Workspace& workspace,
                      const Run& run) {
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

void ConvPlan::settle(float* y, float* dw, float* dx, const float* dy, const float* x,
                      const float* w, const Workspace& ws) {
  settle(forward_, "cudnnConvolutionForward", ws, [&] { return run_forward(y, x, w, ws); });
  if (!backward_weights_.algorithms.empty()) {
    settle(backward_weights_, "cudnnConvolutionBackwardFilter", ws,
           [&] { return run_backward_weights(dw, dy, x, ws); });
  }
  if (!backward_input_.algorithms.empty()) {
    settle(backward_input_, "cudnnConvolutionBackwardData", ws,
           [&] { return run_backward_input(dx, dy, w, ws); });
  }
}

cudnnStatus_t ConvPlan::run_forward(float* y, const float* x, const float* w,
                                    const Workspace& ws) const {
  return cudnnConvolutionForward(cudnn_, &kOne, x_.get(), x, w_.get(), w, forward_.conv.get(),
                                 chosen<cudnnConvolutionFwdAlgo_t>(forward_.algorithms), ws.memory,
                                 ws.bytes, &kZero, y_.get(), y);
}

cudnnStatus_t ConvPlan::run_backward_weights(float* dw, const float* dy, const float* x,
                                             const Workspace& ws) const {
  return cudnnConvolutionBackwardFilter(
      cudnn_, &kOne, x_.get(), x, y_.get(), dy, backward_weights_.conv.get(),
      chosen<cudnnConvolutionBwdFilterAlgo_t>(backward_weights_.algorithms), ws.memory, ws.bytes,
      &kZero, w_.get(), dw);
}

cudnnStatus_t ConvPlan::run_backward_input(float* dx, const float* dy, const float* w,
                                           const Workspace& ws) const {
  return cudnnConvolutionBackwardData(
      cudnn_, &kOne, w_.get(), w, y_.get(), dy, backward_input_.conv.get(),
      chosen<cudnnConvolutionBwdDataAlgo_t>(backward_input_.algorithms), ws.memory, ws.bytes,
      &kZero, x_.get(), dx);
}

void ConvPlan::forward(float* y, const float* x, const float* w, const Workspace& workspace) const {
  check(run_forward(y, x, w, workspace), "cudnnConvolutionForward");
}

void ConvPlan::backward_weights(float* dw, const float* dy, const float* x,
                                const Workspace& workspace) const {
  check(run_backward_weights(dw, dy, x, workspace), "cudnnConvolutionBackwardFilter");
}

void ConvPlan::backward_input(float* dx, const float* dy, const float* w,
                              const Workspace& workspace) const {
  check(run_backward_input(dx, dy, w, workspace), "cudnnConvolutionBackwardData");
}

std::vector<Detail> ConvPlan::details(const std::string& group, const std::string& layer) const {
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
