// Convolution descriptors, and what cuDNN answers about algorithms and their workspaces.
#include "tests/host_cuda/convolution.h"

using namespace host_cuda;

namespace {

using Shape = std::optional<Convolution>;

// What an algorithm would run with: tensor cores where they are allowed, which IMPLICIT_GEMM has no
// use for.
cudnnMathType_t math_of(Direction direction, int id, cudnnMathType_t allowed) {
  if (allowed == CUDNN_FMA_MATH) return CUDNN_FMA_MATH;
  const bool plain =
      direction == Direction::kForward && id == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
  return plain ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
}

template <typename Perf>
cudnnStatus_t list(const char* call, Direction direction, const Shape& shape, int requested,
                   int* returned, Perf* perfs) {
  return cudnn_call(call, [&] {
    if (!shape || requested < 1 || returned == nullptr || perfs == nullptr)
      return bad_parameter(call, "descriptors that do not match, or no room for an answer");
    const std::vector<Algorithm> all = algorithms(direction, *shape);
    *returned = std::min(requested, static_cast<int>(all.size()));
    for (int i = 0; i < *returned; ++i) {
      const Algorithm& algorithm = all[static_cast<size_t>(i)];
      Perf& perf = perfs[i] = {};
      perf.algo = static_cast<decltype(perf.algo)>(algorithm.id);
      perf.status = algorithm.supported ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
      perf.time = algorithm.supported ? static_cast<float>(i + 1) : -1.0f;
      perf.memory = algorithm.workspace_bytes;
      perf.determinism = algorithm.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
      perf.mathType = math_of(direction, algorithm.id, shape->descriptor.math);
    }
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t workspace(const char* call, Direction direction, const Shape& shape, int id,
                        size_t* bytes) {
  return cudnn_call(call, [&] {
    if (!shape || bytes == nullptr) return bad_parameter(call, "descriptors that do not match");
    const auto algorithm = find_algorithm(direction, *shape, id);
    if (!algorithm) return CUDNN_STATUS_NOT_SUPPORTED;
    *bytes = algorithm->workspace_bytes;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t max_count(const char* call, int most, int* count) {
  return cudnn_call(call, [&] {
    *count = most;
    return CUDNN_STATUS_SUCCESS;
  });
}

}  // namespace

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t conv, int pad_h,
                                              int pad_w, int stride_h, int stride_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t type) {
  return cudnn_call("cudnnSetConvolution2dDescriptor", [&] {
    if (!handles<cudnnConvolutionStruct>().owns(conv) || pad_h < 0 || pad_w < 0 || stride_h < 1 ||
        stride_w < 1 || dilation_h < 1 || dilation_w < 1)
      return bad_parameter("cudnnSetConvolution2dDescriptor", "a padding, stride or dilation");
    if (type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
    *conv = {true, pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, mode, conv->math};
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t conv, cudnnMathType_t math) {
  return cudnn_call("cudnnSetConvolutionMathType", [&] {
    if (!handles<cudnnConvolutionStruct>().owns(conv)) return CUDNN_STATUS_BAD_PARAM;
    conv->math = math;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnGetConvolutionMathType(cudnnConvolutionDescriptor_t conv,
                                          cudnnMathType_t* math) {
  return cudnn_call("cudnnGetConvolutionMathType", [&] {
    if (!handles<cudnnConvolutionStruct>().owns(conv)) return CUDNN_STATUS_BAD_PARAM;
    *math = conv->math;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t conv, int groups) {
  return cudnn_call("cudnnSetConvolutionGroupCount", [&] {
    if (!handles<cudnnConvolutionStruct>().owns(conv)) return CUDNN_STATUS_BAD_PARAM;
    return groups == 1 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
  });
}

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(cudnnConvolutionDescriptor_t conv,
                                                    cudnnTensorDescriptor_t x,
                                                    cudnnFilterDescriptor_t w, int* n, int* c,
                                                    int* h, int* width) {
  return cudnn_call("cudnnGetConvolution2dForwardOutputDim", [&] {
    if (!ready(conv) || !ready(x) || !ready(w) || x->dims[1] != w->dims[1])
      return bad_parameter("cudnnGetConvolution2dForwardOutputDim", "descriptors do not match");
    const Dims out = output_dims(*conv, x->dims, w->dims);
    if (out[2] < 1 || out[3] < 1)
      return bad_parameter("cudnnGetConvolution2dForwardOutputDim", "nothing comes out");
    *n = out[0];
    *c = out[1];
    *h = out[2];
    *width = out[3];
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(cudnnHandle_t, int* count) {
  return max_count("cudnnGetConvolutionForwardAlgorithmMaxCount", CUDNN_CONVOLUTION_FWD_ALGO_COUNT,
                   count);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(cudnnHandle_t, int* count) {
  return max_count("cudnnGetConvolutionBackwardDataAlgorithmMaxCount",
                   CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, count);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(cudnnHandle_t, int* count) {
  return max_count("cudnnGetConvolutionBackwardFilterAlgorithmMaxCount",
                   CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, count);
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, cudnnTensorDescriptor_t x_desc,
                                                     cudnnFilterDescriptor_t w_desc,
                                                     cudnnConvolutionDescriptor_t conv,
                                                     cudnnTensorDescriptor_t y_desc, int requested,
                                                     int* returned,
                                                     cudnnConvolutionFwdAlgoPerf_t* perfs) {
  return list("cudnnGetConvolutionForwardAlgorithm_v7", Direction::kForward,
              match(x_desc, w_desc, conv, y_desc), requested, returned, perfs);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t, cudnnFilterDescriptor_t w_desc, cudnnTensorDescriptor_t dy_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t dx_desc, int requested,
    int* returned, cudnnConvolutionBwdDataAlgoPerf_t* perfs) {
  return list("cudnnGetConvolutionBackwardDataAlgorithm_v7", Direction::kBackwardData,
              match(dx_desc, w_desc, conv, dy_desc), requested, returned, perfs);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t, cudnnTensorDescriptor_t x_desc, cudnnTensorDescriptor_t dy_desc,
    cudnnConvolutionDescriptor_t conv, cudnnFilterDescriptor_t dw_desc, int requested,
    int* returned, cudnnConvolutionBwdFilterAlgoPerf_t* perfs) {
  return list("cudnnGetConvolutionBackwardFilterAlgorithm_v7", Direction::kBackwardFilter,
              match(x_desc, dw_desc, conv, dy_desc), requested, returned, perfs);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, cudnnTensorDescriptor_t x_desc,
                                                      cudnnFilterDescriptor_t w_desc,
                                                      cudnnConvolutionDescriptor_t conv,
                                                      cudnnTensorDescriptor_t y_desc,
                                                      cudnnConvolutionFwdAlgo_t algorithm,
                                                      size_t* bytes) {
  return workspace("cudnnGetConvolutionForwardWorkspaceSize", Direction::kForward,
                   match(x_desc, w_desc, conv, y_desc), algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t, cudnnFilterDescriptor_t w_desc, cudnnTensorDescriptor_t dy_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t dx_desc,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  return workspace("cudnnGetConvolutionBackwardDataWorkspaceSize", Direction::kBackwardData,
                   match(dx_desc, w_desc, conv, dy_desc), algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t, cudnnTensorDescriptor_t x_desc, cudnnTensorDescriptor_t dy_desc,
    cudnnConvolutionDescriptor_t conv, cudnnFilterDescriptor_t dw_desc,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  return workspace("cudnnGetConvolutionBackwardFilterWorkspaceSize", Direction::kBackwardFilter,
                   match(x_desc, dw_desc, conv, dy_desc), algorithm, bytes);
}
