#include "cuda/conv_plan.h"

#include <algorithm>
#include <array>

#include "host/error.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

struct Requirements {
  bool deterministic;
  size_t workspace_limit;
};

// list(count, &returned, perfs) fills in cuDNN's candidates, best first; size(algorithm, &bytes)
// says what one takes with our descriptors, or that it cannot do them. The choice is made by these
// two answers and not by timing, so that every run takes the same algorithms. Raises *most.
template <class Perf, size_t kCount, class List, class Size>
auto choose(const char* direction, const Requirements& required, const List& list, const Size& size,
            size_t* most) {
  std::array<Perf, kCount> candidates;
  int returned = 0;
  check(list(static_cast<int>(kCount), &returned, candidates.data()), direction);
  for (int i = 0; i < returned; ++i) {
    const Perf& perf = candidates[static_cast<size_t>(i)];
    if (perf.status != CUDNN_STATUS_SUCCESS) continue;
    if (required.deterministic && perf.determinism != CUDNN_DETERMINISTIC) continue;
    size_t bytes = 0;
    if (size(perf.algo, &bytes) != CUDNN_STATUS_SUCCESS) continue;
    if (bytes > required.workspace_limit) continue;
    *most = std::max(*most, bytes);
    return perf.algo;
  }
  throw MachineError(std::string(direction) + " offers no " +
                     (required.deterministic ? "deterministic " : "") + "algorithm in " +
                     std::to_string(required.workspace_limit >> 20) + " MiB of workspace");
}

}  // namespace

ConvPlan::ConvPlan(const Context& context, const Conv2d& conv, const Shape& in, const Shape& out,
                   int n, size_t workspace_limit)
    : cudnn_(context.cudnn.get()), x_(describe_tensor(in, n)), y_(describe_tensor(out, n)) {
  describe(conv, in, out, context.options.tf32);
  choose_algorithms(context.options.deterministic, workspace_limit);
}

void ConvPlan::describe(const Conv2d& conv, const Shape& in, const Shape& out, bool tf32) {
  check(cudnnCreateFilterDescriptor(w_.out()), "cudnnCreateFilterDescriptor");
  check(cudnnSetFilter4dDescriptor(w_.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, out.channels,
                                   in.channels, conv.kernel, conv.kernel),
        "cudnnSetFilter4dDescriptor");
  check(cudnnCreateConvolutionDescriptor(conv_.out()), "cudnnCreateConvolutionDescriptor");
  check(
      cudnnSetConvolution2dDescriptor(conv_.get(), conv.padding, conv.padding, conv.stride,
                                      conv.stride, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
      "cudnnSetConvolution2dDescriptor");
  // cuDNN's default would take TF32 on its own.
  check(cudnnSetConvolutionMathType(conv_.get(), tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
        "cudnnSetConvolutionMathType");
}

void ConvPlan::choose_algorithms(bool deterministic, size_t workspace_limit) {
  const Requirements required{deterministic, workspace_limit};
  forward_ = choose<cudnnConvolutionFwdAlgoPerf_t, CUDNN_CONVOLUTION_FWD_ALGO_COUNT>(
      "cudnnGetConvolutionForwardAlgorithm_v7", required,
      [&](int count, int* returned, auto* perfs) {
        return cudnnGetConvolutionForwardAlgorithm_v7(cudnn_, x_.get(), w_.get(), conv_.get(),
                                                      y_.get(), count, returned, perfs);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(cudnn_, x_.get(), w_.get(), conv_.get(),
                                                       y_.get(), algorithm, bytes);
      },
      &workspace_bytes_);
  backward_weights_ =
      choose<cudnnConvolutionBwdFilterAlgoPerf_t, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT>(
          "cudnnGetConvolutionBackwardFilterAlgorithm_v7", required,
          [&](int count, int* returned, auto* perfs) {
            return cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                cudnn_, x_.get(), y_.get(), conv_.get(), w_.get(), count, returned, perfs);
          },
          [&](auto algorithm, size_t* bytes) {
            return cudnnGetConvolutionBackwardFilterWorkspaceSize(
                cudnn_, x_.get(), y_.get(), conv_.get(), w_.get(), algorithm, bytes);
          },
          &workspace_bytes_);
  backward_input_ =
      choose<cudnnConvolutionBwdDataAlgoPerf_t, CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT>(
          "cudnnGetConvolutionBackwardDataAlgorithm_v7", required,
          [&](int count, int* returned, auto* perfs) {
            return cudnnGetConvolutionBackwardDataAlgorithm_v7(
                cudnn_, w_.get(), y_.get(), conv_.get(), x_.get(), count, returned, perfs);
          },
          [&](auto algorithm, size_t* bytes) {
            return cudnnGetConvolutionBackwardDataWorkspaceSize(
                cudnn_, w_.get(), y_.get(), conv_.get(), x_.get(), algorithm, bytes);
          },
          &workspace_bytes_);
}

void ConvPlan::forward(float* y, const float* x, const float* w, const Workspace& workspace) const {
  check(cudnnConvolutionForward(cudnn_, &kOne, x_.get(), x, w_.get(), w, conv_.get(), forward_,
                                workspace.memory, workspace.bytes, &kZero, y_.get(), y),
        "cudnnConvolutionForward");
}

void ConvPlan::backward_weights(float* dw, const float* dy, const float* x,
                                const Workspace& workspace) const {
  check(cudnnConvolutionBackwardFilter(cudnn_, &kOne, x_.get(), x, y_.get(), dy, conv_.get(),
                                       backward_weights_, workspace.memory, workspace.bytes, &kZero,
                                       w_.get(), dw),
        "cudnnConvolutionBackwardFilter");
}

void ConvPlan::backward_input(float* dx, const float* dy, const float* w,
                              const Workspace& workspace) const {
  check(cudnnConvolutionBackwardData(cudnn_, &kOne, w_.get(), w, y_.get(), dy, conv_.get(),
                                     backward_input_, workspace.memory, workspace.bytes, &kZero,
                                     x_.get(), dx),
        "cudnnConvolutionBackwardData");
}

}  // namespace digitron
