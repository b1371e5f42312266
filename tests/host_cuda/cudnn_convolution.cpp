// The three directions of a convolution. Algorithms that are not deterministic give other last bits
// with every call, and every algorithm overwrites its workspace.
#include "tests/host_cuda/convolution.h"

using namespace host_cuda;

namespace {

struct Workspace {
  void* memory;
  size_t bytes;
};

int nondeterministic_calls = 0;

const float* floats_at(const void* data) {
  return static_cast<const float*>(data);
}

// A checked choice of algorithm for descriptors that match, or why there is none.
struct Choice {
  cudnnStatus_t status;
  Convolution shape;
  bool deterministic;
  bool inexact;
};

Choice choose(const char* call, Direction direction, const std::optional<Convolution>& shape,
              int id, const Workspace& workspace) {
  if (!shape) return {bad_parameter(call, "descriptors that do not match"), {}, false, false};
  const auto algorithm = find_algorithm(direction, *shape, id);
  if (!algorithm) return {CUDNN_STATUS_NOT_SUPPORTED, {}, false, false};
  if (workspace.bytes < algorithm->workspace_bytes ||
      (algorithm->workspace_bytes > 0 && workspace.memory == nullptr))
    return {bad_parameter(call, "a workspace too small"), {}, false, false};
  return {CUDNN_STATUS_SUCCESS, *shape, algorithm->deterministic, algorithm->inexact};
}

// The values as an algorithm leaves them.
std::vector<float> as_computed(const Choice& choice, std::vector<float> values) {
  if (!choice.inexact) return values;
  for (size_t i = 0; i < values.size(); ++i) values[i] *= i % 2 == 0 ? 1 + 1e-5f : 1 - 1e-5f;
  return values;
}

// The data that a call reads, the output apart, with its workspace.
std::vector<Range> inputs(Range a, Range b, const Workspace& workspace) {
  std::vector<Range> ranges{a, b};
  if (workspace.memory != nullptr) ranges.push_back({workspace.memory, workspace.bytes});
  return ranges;
}

cudnnTensorStruct dense(const Dims& d) {
  return {true, d, {d[1] * d[2] * d[3], d[2] * d[3], d[3], 1}};
}

bool workspace_is_apart(const Workspace& workspace, std::initializer_list<Range> data) {
  return std::none_of(data.begin(), data.end(), [&](Range range) {
    return overlap({workspace.memory, workspace.bytes}, range);
  });
}

}  // namespace

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      cudnnTensorDescriptor_t x_desc, const void* x,
                                      cudnnFilterDescriptor_t w_desc, const void* w,
                                      cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* memory,
                                      size_t bytes, const void* beta,
                                      cudnnTensorDescriptor_t y_desc, void* y) {
  constexpr const char* kCall = "cudnnConvolutionForward";
  return cudnn_call(kCall, [&] {
    const Workspace workspace{memory, bytes};
    const Choice choice = choose(kCall, Direction::kForward, match(x_desc, w_desc, conv, y_desc),
                                 algorithm, workspace);
    if (choice.status != CUDNN_STATUS_SUCCESS) return choice.status;
    const Range x_range = floats(x, x_desc->span());
    const Range w_range = floats(w, w_desc->count());
    if (!workspace_is_apart(workspace, {x_range, w_range}))
      return bad_parameter(kCall, "the workspace holds an input");
    const auto run = [choice, xd = *x_desc, yd = *y_desc, x, w, y, workspace](float a, float b) {
      use_up({workspace.memory, workspace.bytes});
      const Convolution& c = choice.shape;
      scatter(yd, static_cast<float*>(y),
              as_computed(choice,
                          convolve(c, gather(xd, floats_at(x)), gather(dense(c.w), floats_at(w)))),
              a, b);
    };
    return submit_cudnn({kCall, handle, alpha, beta, floats(y, y_desc->span()),
                         inputs(x_range, w_range, workspace), false},
                        run);
  });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t w_desc, const void* w,
                                           cudnnTensorDescriptor_t dy_desc, const void* dy,
                                           cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* memory,
                                           size_t bytes, const void* beta,
                                           cudnnTensorDescriptor_t dx_desc, void* dx) {
  constexpr const char* kCall = "cudnnConvolutionBackwardData";
  return cudnn_call(kCall, [&] {
    const Workspace workspace{memory, bytes};
    const Choice choice = choose(kCall, Direction::kBackwardData,
                                 match(dx_desc, w_desc, conv, dy_desc), algorithm, workspace);
    if (choice.status != CUDNN_STATUS_SUCCESS) return choice.status;
    const Range w_range = floats(w, w_desc->count());
    const Range dy_range = floats(dy, dy_desc->span());
    if (!workspace_is_apart(workspace, {w_range, dy_range}))
      return bad_parameter(kCall, "the workspace holds an input");
    const auto run = [choice, dyd = *dy_desc, dxd = *dx_desc, w, dy, dx, workspace](float a,
                                                                                    float b) {
      use_up({workspace.memory, workspace.bytes});
      const Convolution& c = choice.shape;
      const bool reversed = !choice.deterministic && ++nondeterministic_calls % 2 == 0;
      scatter(
          dxd, static_cast<float*>(dx),
          as_computed(choice, convolve_backward_data(c, gather(dyd, floats_at(dy)),
                                                     gather(dense(c.w), floats_at(w)), reversed)),
          a, b);
    };
    return submit_cudnn({kCall, handle, alpha, beta, floats(dx, dx_desc->span()),
                         inputs(w_range, dy_range, workspace), false},
                        run);
  });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t x_desc, const void* x,
                                             cudnnTensorDescriptor_t dy_desc, const void* dy,
                                             cudnnConvolutionDescriptor_t conv,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                             void* memory, size_t bytes, const void* beta,
                                             cudnnFilterDescriptor_t dw_desc, void* dw) {
  constexpr const char* kCall = "cudnnConvolutionBackwardFilter";
  return cudnn_call(kCall, [&] {
    const Workspace workspace{memory, bytes};
    const Choice choice = choose(kCall, Direction::kBackwardFilter,
                                 match(x_desc, dw_desc, conv, dy_desc), algorithm, workspace);
    if (choice.status != CUDNN_STATUS_SUCCESS) return choice.status;
    const Range x_range = floats(x, x_desc->span());
    const Range dy_range = floats(dy, dy_desc->span());
    if (!workspace_is_apart(workspace, {x_range, dy_range}))
      return bad_parameter(kCall, "the workspace holds an input");
    const auto run = [choice, xd = *x_desc, dyd = *dy_desc, x, dy, dw, workspace](float a,
                                                                                  float b) {
      use_up({workspace.memory, workspace.bytes});
      const Convolution& c = choice.shape;
      const int first = choice.deterministic ? 0 : ++nondeterministic_calls % c.x[0];
      scatter(dense(c.w), static_cast<float*>(dw),
              as_computed(choice, convolve_backward_filter(c, gather(xd, floats_at(x)),
                                                           gather(dyd, floats_at(dy)), first)),
              a, b);
    };
    return submit_cudnn({kCall, handle, alpha, beta, floats(dw, dw_desc->count()),
                         inputs(x_range, dy_range, workspace), false},
                        run);
  });
}
