// What the tests of the stand-in's cuDNN share.
#pragma once

#include <cudnn.h>
#include "tests/engine_testing.h"
#include "tests/host_cuda_testing.h"

namespace digitron::testing {

// What results and their targets are scaled with.
inline constexpr float kOne = 1;
inline constexpr float kZero = 0;

inline cudnnTensorDescriptor_t tensor(int n, int c, int h, int w) {
  cudnnTensorDescriptor_t descriptor = nullptr;
  EXPECT_EQ(cudnnCreateTensorDescriptor(&descriptor), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, w),
            CUDNN_STATUS_SUCCESS);
  return descriptor;
}

inline cudnnTensorDescriptor_t tensor(int n, const Shape& shape) {
  return tensor(n, shape.channels, shape.height, shape.width);
}

class HostCudaCudnn : public HostCuda {
 protected:
  void SetUp() override {
    HostCuda::SetUp();
    ASSERT_EQ(cudnnCreate(&cudnn_), CUDNN_STATUS_SUCCESS);
  }

  cudnnHandle_t cudnn_ = nullptr;
};

inline std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

}  // namespace digitron::testing
