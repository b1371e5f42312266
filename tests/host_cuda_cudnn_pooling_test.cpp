#include <gmock/gmock.h>

#include <cmath>

#include "tests/host_cuda_cudnn_testing.h"

namespace digitron::testing {
namespace {

using ::testing::IsNan;

class HostCudaPooling : public HostCudaCudnn {
 protected:
  cudnnPoolingDescriptor_t pooling(const MaxPool2d& shape, cudnnPoolingMode_t mode) {
    cudnnPoolingDescriptor_t descriptor = nullptr;
    EXPECT_EQ(cudnnCreatePoolingDescriptor(&descriptor), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(cudnnSetPooling2dDescriptor(descriptor, mode, CUDNN_PROPAGATE_NAN, shape.kernel,
                                          shape.kernel, 0, 0, shape.stride, shape.stride),
              CUDNN_STATUS_SUCCESS);
    return descriptor;
  }
};

TEST_F(HostCudaPooling, EqualsTheReferenceBothWays) {
  const int n = 2;
  const Shape in{3, 7, 8};
  for (const MaxPool2d& pool : {MaxPool2d{2, 2}, MaxPool2d{3, 1}, MaxPool2d{2, 3}}) {
    const Shape out = output_shape(pool, in);
    Random random(5);
    const std::vector<float> x = random.reals<float>(static_cast<size_t>(n * in.count()));
    const std::vector<float> dy = random.reals<float>(static_cast<size_t>(n * out.count()));
    std::vector<double> expected_y(dy.size()), expected_dx(x.size());
    std::vector<size_t> winner(dy.size());
    reference::maxpool_forward(expected_y.data(), winner.data(), doubles(x).data(), pool, in, out,
                               n);
    for (size_t i = 0; i < dy.size(); ++i) expected_dx[winner[i]] += dy[i];
    const auto descriptor = pooling(pool, CUDNN_POOLING_MAX_DETERMINISTIC);
    const float* device_x = on_device(x);
    float* y = device_memory<float>(dy.size());
    float* dx = device_memory<float>(x.size());
    ASSERT_EQ(cudnnPoolingForward(cudnn_, descriptor, &kOne, tensor(n, in), device_x, &kZero,
                                  tensor(n, out), y),
              CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(
        cudnnPoolingBackward(cudnn_, descriptor, &kOne, tensor(n, out), y, tensor(n, out),
                             on_device(dy), tensor(n, in), device_x, &kZero, tensor(n, in), dx),
        CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(y, dy.size()), expected_y, 0));
    EXPECT_TRUE(is_near(from_device(dx, x.size()), expected_dx, 1e-6));
  }
}

TEST_F(HostCudaPooling, AveragesAndGivesBackEqualParts) {
  const auto descriptor = pooling({2, 2}, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING);
  const float* x = on_device<float>({1, 2, 3, 6});
  float* y = device_memory<float>(1);
  float* dx = device_memory<float>(4);
  ASSERT_EQ(cudnnPoolingForward(cudnn_, descriptor, &kOne, tensor(1, 1, 2, 2), x, &kZero,
                                tensor(1, 1, 1, 1), y),
            CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(from_device(y, 1)[0], 3.0f);
  ASSERT_EQ(cudnnPoolingBackward(cudnn_, descriptor, &kOne, tensor(1, 1, 1, 1), y,
                                 tensor(1, 1, 1, 1), on_device<float>({4}), tensor(1, 1, 2, 2), x,
                                 &kZero, tensor(1, 1, 2, 2), dx),
            CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(from_device(dx, 4), std::vector<float>(4, 1.0f));
}

TEST_F(HostCudaPooling, RefusesWhatDoesNotMatch) {
  const auto descriptor = pooling({2, 2}, CUDNN_POOLING_MAX_DETERMINISTIC);
  const float* x = device_memory<float>(16);
  float* y = device_memory<float>(16);
  EXPECT_EQ(cudnnPoolingForward(cudnn_, descriptor, &kOne, tensor(1, 1, 4, 4), x, &kZero,
                                tensor(1, 1, 2, 3), y),
            CUDNN_STATUS_BAD_PARAM);
  int n = 0, c = 0, h = 0, w = 0;
  EXPECT_EQ(cudnnGetPooling2dForwardOutputDim(descriptor, tensor(3, 2, 5, 4), &n, &c, &h, &w),
            CUDNN_STATUS_SUCCESS);
  EXPECT_THAT((std::vector<int>{n, c, h, w}), ::testing::ElementsAre(3, 2, 2, 2));
}

TEST_F(HostCudaCudnn, AddsABiasToStridedTensors) {
  cudnnTensorDescriptor_t strided = nullptr;
  ASSERT_EQ(cudnnCreateTensorDescriptor(&strided), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(cudnnSetTensor4dDescriptorEx(strided, CUDNN_DATA_FLOAT, 1, 2, 1, 2, 6, 3, 2, 1),
            CUDNN_STATUS_SUCCESS);
  float* c = on_device<float>({1, 2, 3, 4, 5});
  const float* bias = on_device<float>({10, 20});
  ASSERT_EQ(cudnnAddTensor(cudnn_, &kOne, tensor(1, 2, 1, 1), bias, &kOne, strided, c),
            CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(from_device(c, 5), (std::vector<float>{11, 12, 3, 24, 25}));
  EXPECT_EQ(cudnnAddTensor(cudnn_, &kOne, tensor(1, 3, 1, 1), bias, &kOne, strided, c),
            CUDNN_STATUS_BAD_PARAM);
}

TEST_F(HostCudaCudnn, CutsNegativesAndTheirGradients) {
  cudnnActivationDescriptor_t relu = nullptr;
  ASSERT_EQ(cudnnCreateActivationDescriptor(&relu), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0),
            CUDNN_STATUS_SUCCESS);
  const auto four = tensor(4, 1, 1, 1);
  float* x = on_device<float>({-1, 0, 2, NAN});
  float* dy = on_device<float>({5, 6, 7, 8});
  ASSERT_EQ(cudnnActivationForward(cudnn_, relu, &kOne, four, x, &kZero, four, x),
            CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(
      cudnnActivationBackward(cudnn_, relu, &kOne, four, x, four, dy, four, x, &kZero, four, dy),
      CUDNN_STATUS_SUCCESS);
  EXPECT_THAT(from_device(x, 4), ::testing::ElementsAre(0, 0, 2, IsNan()));
  EXPECT_THAT(from_device(dy, 4), ::testing::ElementsAre(0, 0, 7, IsNan()));
}

TEST_F(HostCudaCudnn, FailsWhenAskedAndWithoutADevice) {
  const auto one = tensor(1, 1, 1, 1);
  const float* a = on_device<float>({1});
  float* c = on_device<float>({2});
  host_cuda::fail_call("cudnnAddTensor", CUDNN_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cudnnAddTensor(cudnn_, &kOne, one, a, &kOne, one, c), CUDNN_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cudnnAddTensor(cudnn_, &kOne, one, a, &kOne, one, c), CUDNN_STATUS_SUCCESS);
  EXPECT_STREQ(cudnnGetErrorString(CUDNN_STATUS_EXECUTION_FAILED), "CUDNN_STATUS_EXECUTION_FAILED");
  host_cuda::set_device_count(0);
  cudnnHandle_t handle = nullptr;
  EXPECT_EQ(cudnnCreate(&handle), CUDNN_STATUS_NOT_INITIALIZED);
}

}  // namespace
}  // namespace digitron::testing
