#include "tests/host_cuda/cudnn_descriptors.h"

#include <cstdio>

namespace host_cuda {
namespace {

bool positive(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int d) { return d > 0; });
}

size_t product(const Dims& dims) {
  size_t count = 1;
  for (const int d : dims) count *= static_cast<size_t>(d);
  return count;
}

cudnnStatus_t set_tensor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type, Dims dims,
                         Dims strides) {
  if (!handles<cudnnTensorStruct>().owns(tensor) || !positive(dims) || !positive(strides))
    return bad_parameter("cudnnSetTensor4dDescriptor", "no descriptor or a size below 1");
  if (type != CUDNN_DATA_FLOAT) return CUDNN_STATUS_NOT_SUPPORTED;
  *tensor = {true, dims, strides};
  return CUDNN_STATUS_SUCCESS;
}

template <typename T>
cudnnStatus_t create(const char* call, T** descriptor) {
  return cudnn_call(call, [&] {
    if (descriptor == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    *descriptor = handles<T>().create();
    return CUDNN_STATUS_SUCCESS;
  });
}

template <typename T>
cudnnStatus_t destroy(const char* call, T* descriptor) {
  return cudnn_call(call, [&] {
    return handles<T>().destroy(descriptor) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
  });
}

template <typename Visit>
void for_each_element(const cudnnTensorStruct& tensor, Visit visit) {
  const Dims& d = tensor.dims;
  for (int n = 0; n < d[0]; ++n)
    for (int c = 0; c < d[1]; ++c)
      for (int h = 0; h < d[2]; ++h)
        for (int w = 0; w < d[3]; ++w) visit(tensor.offset(n, c, h, w));
}

}  // namespace

std::vector<float> gather(const cudnnTensorStruct& tensor, const float* data) {
  std::vector<float> dense;
  dense.reserve(tensor.count());
  for_each_element(tensor, [&](size_t offset) { dense.push_back(data[offset]); });
  return dense;
}

void scatter(const cudnnTensorStruct& tensor, float* data, const std::vector<float>& sums,
             float alpha, float beta) {
  const float* sum = sums.data();
  for_each_element(tensor, [&](size_t offset) { blend(data[offset], alpha, *sum++, beta); });
}

cudnnStatus_t submit_cudnn(const CudnnOperation& operation, std::function<void(float, float)> run) {
  const char* const call = operation.call;
  if (!handles<cudnnContext>().owns(operation.handle)) return bad_parameter(call, "not a handle");
  if (!host_scalar(operation.alpha) || !host_scalar(operation.beta))
    return bad_parameter(call, "alpha and beta are host pointers");
  std::vector<Range> ranges = operation.in;
  if (!operation.in_place)
    for (const Range& in : ranges)
      if (overlap(in, operation.out)) return bad_parameter(call, "the output is an input too");
  ranges.push_back(operation.out);
  if (!check_ranges(call, ranges)) return CUDNN_STATUS_BAD_PARAM;
  const float alpha = scalar(operation.alpha);
  const float beta = scalar(operation.beta);
  const cudaError_t error =
      submit(operation.handle->stream, {Work::kLibrary, call, std::move(ranges),
                                        [run = std::move(run), alpha, beta] { run(alpha, beta); }});
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}

}  // namespace host_cuda

using namespace host_cuda;

size_t cudnnTensorStruct::count() const {
  return product(dims);
}

size_t cudnnTensorStruct::span() const {
  return offset(dims[0] - 1, dims[1] - 1, dims[2] - 1, dims[3] - 1) + 1;
}

size_t cudnnTensorStruct::offset(int n, int c, int h, int w) const {
  const auto at = [](int index, int stride) {
    return static_cast<size_t>(index) * static_cast<size_t>(stride);
  };
  return at(n, strides[0]) + at(c, strides[1]) + at(h, strides[2]) + at(w, strides[3]);
}

size_t cudnnFilterStruct::count() const {
  return product(dims);
}

size_t cudnnGetVersion() {
  return CUDNN_VERSION;
}

size_t cudnnGetCudartVersion() {
  return CUDART_VERSION;
}

cudnnStatus_t cudnnGetProperty(libraryPropertyType type, int* value) {
  const int parts[] = {CUDNN_MAJOR, CUDNN_MINOR, CUDNN_PATCHLEVEL};
  *value = parts[type];
  return CUDNN_STATUS_SUCCESS;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_ALLOC_FAILED:
      return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED_CUDART:
      return "CUDNN_STATUS_EXECUTION_FAILED_CUDART";
    default:
      return "CUDNN_STATUS_UNKNOWN";
  }
}

void cudnnGetLastErrorString(char* message, size_t max_size) {
  std::snprintf(message, max_size, "%s", last_problem().c_str());
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return library_call("cudnnCreate", CUDNN_STATUS_NOT_INITIALIZED, [&] {
    if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (refused_by_capture("cudnnCreate")) return CUDNN_STATUS_EXECUTION_FAILED_CUDART;
    *handle = handles<cudnnContext>().create();
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return destroy("cudnnDestroy", handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return cudnn_call("cudnnSetStream", [&] {
    if (!handles<cudnnContext>().owns(handle) || !is_stream(stream))
      return bad_parameter("cudnnSetStream", "not a handle or not a stream");
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  return cudnn_call("cudnnGetStream", [&] {
    if (!handles<cudnnContext>().owns(handle)) return CUDNN_STATUS_BAD_PARAM;
    *stream = handle->stream;
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  return create("cudnnCreateTensorDescriptor", tensor);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  return destroy("cudnnDestroyTensorDescriptor", tensor);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  return cudnn_call("cudnnSetTensor4dDescriptor", [&] {
    const Dims strides =
        format == CUDNN_TENSOR_NCHW ? Dims{c * h * w, h * w, w, 1} : Dims{h * w * c, 1, w * c, c};
    return set_tensor(tensor, type, {n, c, h, w}, strides);
  });
}

cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t tensor, cudnnDataType_t type,
                                           int n, int c, int h, int w, int n_stride, int c_stride,
                                           int h_stride, int w_stride) {
  return cudnn_call("cudnnSetTensor4dDescriptorEx", [&] {
    return set_tensor(tensor, type, {n, c, h, w}, {n_stride, c_stride, h_stride, w_stride});
  });
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) {
  return create("cudnnCreateFilterDescriptor", filter);
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
  return destroy("cudnnDestroyFilterDescriptor", filter);
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  return cudnn_call("cudnnSetFilter4dDescriptor", [&] {
    if (!handles<cudnnFilterStruct>().owns(filter) || !positive({k, c, h, w}))
      return bad_parameter("cudnnSetFilter4dDescriptor", "no descriptor or a size below 1");
    if (type != CUDNN_DATA_FLOAT || format != CUDNN_TENSOR_NCHW) return CUDNN_STATUS_NOT_SUPPORTED;
    *filter = {true, {k, c, h, w}};
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* conv) {
  return create("cudnnCreateConvolutionDescriptor", conv);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t conv) {
  return destroy("cudnnDestroyConvolutionDescriptor", conv);
}

cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t* pool) {
  return create("cudnnCreatePoolingDescriptor", pool);
}

cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t pool) {
  return destroy("cudnnDestroyPoolingDescriptor", pool);
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* activation) {
  return create("cudnnCreateActivationDescriptor", activation);
}

cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t activation) {
  return destroy("cudnnDestroyActivationDescriptor", activation);
}
