// cuDNN's descriptions of our tensors: dense fp32, (n, channels, height, width).
#pragma once

#include <cudnn.h>

#include "cuda/check.h"
#include "cuda/unique.h"
#include "host/core/model.h"

namespace digitron {

using TensorDescriptor = Unique<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;

inline TensorDescriptor describe_tensor(const Shape& shape, int n) {
  TensorDescriptor tensor;
  check(cudnnCreateTensorDescriptor(tensor.out()), "cudnnCreateTensorDescriptor");
  check(cudnnSetTensor4dDescriptor(tensor.get(), CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n,
                                   shape.channels, shape.height, shape.width),
        "cudnnSetTensor4dDescriptor");
  return tensor;
}

}  // namespace digitron
