// What is behind cuDNN's handles, and how a cuDNN call begins, checks and ends.
#pragma once

#include <array>

#include <cudnn.h>
#include "tests/host_cuda/handles.h"
#include "tests/host_cuda/library_call.h"

using Dims = std::array<int, 4>;  // n c h w; of a filter k c h w

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

struct cudnnTensorStruct {
  bool set = false;
  Dims dims{};
  Dims strides{};

  size_t count() const;  // elements
  size_t span() const;   // floats from the first to the last
  size_t offset(int n, int c, int h, int w) const;
};

struct cudnnFilterStruct {
  bool set = false;
  Dims dims{};

  size_t count() const;
};

struct cudnnConvolutionStruct {
  bool set = false;
  int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
  cudnnConvolutionMode_t mode;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

struct cudnnPoolingStruct {
  bool set = false;
  cudnnPoolingMode_t mode;
  cudnnNanPropagation_t nan;
  int window_h, window_w, pad_h, pad_w, stride_h, stride_w;
};

struct cudnnActivationStruct {
  bool set = false;
  cudnnActivationMode_t mode;
};

namespace host_cuda {

// A descriptor that exists and was set.
template <typename T>
bool ready(const T* descriptor) {
  return handles<T>().owns(descriptor) && descriptor->set;
}

inline cudnnStatus_t bad_parameter(const char* call, const char* problem) {
  return refuse(CUDNN_STATUS_BAD_PARAM, std::string(call) + ": " + problem);
}

template <typename Body>
cudnnStatus_t cudnn_call(const char* call, Body body) {
  return library_call(call, CUDNN_STATUS_EXECUTION_FAILED_CUDART, body);
}

// The tensor's elements, dense, n c h w.
std::vector<float> gather(const cudnnTensorStruct& tensor, const float* data);

// data = alpha * sums + beta * data for each element.
void scatter(const cudnnTensorStruct& tensor, float* data, const std::vector<float>& sums,
             float alpha, float beta);

// An operation out = alpha * f(in...) + beta * out.
struct CudnnOperation {
  const char* call;
  cudnnHandle_t handle;
  const void* alpha;
  const void* beta;
  Range out;
  std::vector<Range> in;
  bool in_place;  // may the output be one of the inputs?
};

// Checks handle, scalars and pointers, then submits. run(alpha, beta).
cudnnStatus_t submit_cudnn(const CudnnOperation& operation, std::function<void(float, float)> run);

}  // namespace host_cuda
