// Bias and activation.
#include "tests/host_cuda/cudnn_descriptors.h"

using namespace host_cuda;

namespace {

bool same_dims(cudnnTensorDescriptor_t a, cudnnTensorDescriptor_t b) {
  return ready(a) && ready(b) && a->dims == b->dims;
}

bool broadcasts(const cudnnTensorStruct& a, const cudnnTensorStruct& c) {
  for (size_t i = 0; i < a.dims.size(); ++i)
    if (a.dims[i] != 1 && a.dims[i] != c.dims[i]) return false;
  return true;
}

// a repeated to c's shape, dense.
std::vector<float> spread(cudnnTensorStruct a, const Dims& dims, const float* data) {
  for (size_t i = 0; i < dims.size(); ++i)
    if (a.dims[i] == 1) a.strides[i] = 0;
  a.dims = dims;
  return gather(a, data);
}

std::vector<float> sums_by_channel(const cudnnTensorStruct& tensor, const float* data) {
  const std::vector<float> dense = gather(tensor, data);
  const size_t channels = static_cast<size_t>(tensor.dims[1]);
  const size_t plane = static_cast<size_t>(tensor.dims[2] * tensor.dims[3]);
  std::vector<float> sums(channels, 0.0f);
  for (size_t i = 0; i < dense.size(); ++i) sums[i / plane % channels] += dense[i];
  return sums;
}

// NaN stays NaN.
float relu(float x) {
  return x < 0 ? 0 : x;
}

}  // namespace

cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t handle, const void* alpha,
                                           cudnnTensorDescriptor_t dy_desc, const void* dy,
                                           const void* beta, cudnnTensorDescriptor_t db_desc,
                                           void* db) {
  return cudnn_call("cudnnConvolutionBackwardBias", [&] {
    if (!ready(dy_desc) || !ready(db_desc) || db_desc->dims != Dims{1, dy_desc->dims[1], 1, 1})
      return bad_parameter("cudnnConvolutionBackwardBias", "descriptors that do not match");
    const auto run = [dyd = *dy_desc, dbd = *db_desc, dy, db](float a, float b) {
      scatter(dbd, static_cast<float*>(db), sums_by_channel(dyd, static_cast<const float*>(dy)), a,
              b);
    };
    return submit_cudnn({"cudnnConvolutionBackwardBias",
                         handle,
                         alpha,
                         beta,
                         floats(db, db_desc->span()),
                         {floats(dy, dy_desc->span())},
                         false},
                        run);
  });
}

cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void* alpha,
                             cudnnTensorDescriptor_t a_desc, const void* a, const void* beta,
                             cudnnTensorDescriptor_t c_desc, void* c) {
  return cudnn_call("cudnnAddTensor", [&] {
    if (!ready(a_desc) || !ready(c_desc) || !broadcasts(*a_desc, *c_desc))
      return bad_parameter("cudnnAddTensor", "descriptors that do not match");
    const auto run = [ad = *a_desc, cd = *c_desc, a, c](float factor, float b) {
      scatter(cd, static_cast<float*>(c), spread(ad, cd.dims, static_cast<const float*>(a)), factor,
              b);
    };
    return submit_cudnn({"cudnnAddTensor",
                         handle,
                         alpha,
                         beta,
                         floats(c, c_desc->span()),
                         {floats(a, a_desc->span())},
                         false},
                        run);
  });
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t activation,
                                           cudnnActivationMode_t mode, cudnnNanPropagation_t,
                                           double) {
  return cudnn_call("cudnnSetActivationDescriptor", [&] {
    if (!handles<cudnnActivationStruct>().owns(activation)) return CUDNN_STATUS_BAD_PARAM;
    *activation = {true, mode};
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnActivationForward(cudnnHandle_t handle, cudnnActivationDescriptor_t activation,
                                     const void* alpha, cudnnTensorDescriptor_t x_desc,
                                     const void* x, const void* beta,
                                     cudnnTensorDescriptor_t y_desc, void* y) {
  return cudnn_call("cudnnActivationForward", [&] {
    if (!ready(activation) || activation->mode != CUDNN_ACTIVATION_RELU ||
        !same_dims(x_desc, y_desc))
      return bad_parameter("cudnnActivationForward", "descriptors that do not match");
    const auto run = [xd = *x_desc, yd = *y_desc, x, y](float a, float b) {
      std::vector<float> values = gather(xd, static_cast<const float*>(x));
      std::transform(values.begin(), values.end(), values.begin(), relu);
      scatter(yd, static_cast<float*>(y), values, a, b);
    };
    return submit_cudnn({"cudnnActivationForward",
                         handle,
                         alpha,
                         beta,
                         floats(y, y_desc->span()),
                         {floats(x, x_desc->span())},
                         x == y},
                        run);
  });
}

cudnnStatus_t cudnnActivationBackward(cudnnHandle_t handle, cudnnActivationDescriptor_t activation,
                                      const void* alpha, cudnnTensorDescriptor_t y_desc,
                                      const void* y, cudnnTensorDescriptor_t dy_desc,
                                      const void* dy, cudnnTensorDescriptor_t x_desc, const void* x,
                                      const void* beta, cudnnTensorDescriptor_t dx_desc, void* dx) {
  return cudnn_call("cudnnActivationBackward", [&] {
    if (!ready(activation) || activation->mode != CUDNN_ACTIVATION_RELU ||
        !same_dims(y_desc, dy_desc) || !same_dims(y_desc, x_desc) || !same_dims(y_desc, dx_desc))
      return bad_parameter("cudnnActivationBackward", "descriptors that do not match");
    const auto run = [yd = *y_desc, dyd = *dy_desc, dxd = *dx_desc, y, dy, dx](float a, float b) {
      const std::vector<float> out = gather(yd, static_cast<const float*>(y));
      std::vector<float> slope = gather(dyd, static_cast<const float*>(dy));
      for (size_t i = 0; i < slope.size(); ++i) slope[i] = out[i] > 0 ? slope[i] : out[i] * 0;
      scatter(dxd, static_cast<float*>(dx), slope, a, b);
    };
    return submit_cudnn(
        {"cudnnActivationBackward",
         handle,
         alpha,
         beta,
         floats(dx, dx_desc->span()),
         {floats(y, y_desc->span()), floats(dy, dy_desc->span()), floats(x, x_desc->span())},
         dx == dy},
        run);
  });
}
