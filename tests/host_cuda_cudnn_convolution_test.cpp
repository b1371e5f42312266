#include <gmock/gmock.h>

#include "tests/host_cuda_cudnn_testing.h"

namespace digitron::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsNan;

// A convolution of `n` random samples with its descriptors and data on the device.
class HostCudaConvolution : public HostCudaCudnn {
 protected:
  void describe(const Conv2d& conv, const Shape& in, int n) {
    out_ = output_shape(conv, in);
    x_desc_ = tensor(n, in);
    y_desc_ = tensor(n, out_);
    ASSERT_EQ(cudnnCreateFilterDescriptor(&w_desc_), CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(cudnnSetFilter4dDescriptor(w_desc_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW,
                                         out_.channels, in.channels, conv.kernel, conv.kernel),
              CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(cudnnCreateConvolutionDescriptor(&conv_), CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(
        cudnnSetConvolution2dDescriptor(conv_, conv.padding, conv.padding, conv.stride, conv.stride,
                                        1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(cudnnSetConvolutionMathType(conv_, CUDNN_FMA_MATH), CUDNN_STATUS_SUCCESS);
    Random random(3);
    const size_t samples = static_cast<size_t>(n);
    const size_t kernel = static_cast<size_t>(conv.kernel * conv.kernel * in.channels);
    host_x_ = random.reals<float>(samples * static_cast<size_t>(in.count()));
    host_w_ = random.reals<float>(kernel * static_cast<size_t>(out_.channels));
    host_dy_ = random.reals<float>(samples * static_cast<size_t>(out_.count()));
    x_ = on_device(host_x_);
    w_ = on_device(host_w_);
    dy_ = on_device(host_dy_);
    y_ = device_memory<float>(host_dy_.size());
  }

  cudnnStatus_t forward(void* workspace, size_t bytes) {
    return cudnnConvolutionForward(cudnn_, &kOne, x_desc_, x_, w_desc_, w_, conv_,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace,
                                   bytes, &kZero, y_desc_, y_);
  }
  cudnnStatus_t backward_filter(cudnnConvolutionBwdFilterAlgo_t algorithm, float* dw) {
    size_t bytes = 0;
    EXPECT_EQ(cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn_, x_desc_, y_desc_, conv_,
                                                             w_desc_, algorithm, &bytes),
              CUDNN_STATUS_SUCCESS);
    return cudnnConvolutionBackwardFilter(cudnn_, &kOne, x_desc_, x_, y_desc_, dy_, conv_,
                                          algorithm, device_memory<char>(bytes), bytes, &kZero,
                                          w_desc_, dw);
  }
  cudnnStatus_t backward_data(cudnnConvolutionBwdDataAlgo_t algorithm, float* dx) {
    size_t bytes = 0;
    EXPECT_EQ(cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn_, w_desc_, y_desc_, conv_, x_desc_,
                                                           algorithm, &bytes),
              CUDNN_STATUS_SUCCESS);
    return cudnnConvolutionBackwardData(cudnn_, &kOne, w_desc_, w_, y_desc_, dy_, conv_, algorithm,
                                        device_memory<char>(bytes), bytes, &kZero, x_desc_, dx);
  }

  Shape out_;
  cudnnTensorDescriptor_t x_desc_ = nullptr;
  cudnnTensorDescriptor_t y_desc_ = nullptr;
  cudnnFilterDescriptor_t w_desc_ = nullptr;
  cudnnConvolutionDescriptor_t conv_ = nullptr;
  std::vector<float> host_x_, host_w_, host_dy_;
  float* x_ = nullptr;
  float* w_ = nullptr;
  float* dy_ = nullptr;
  float* y_ = nullptr;
};

TEST_F(HostCudaConvolution, EqualsTheReferenceInAllDirections) {
  const int n = 3;
  const Shape in{2, 9, 8};
  for (const Conv2d& conv : {Conv2d{4, 5, 1, 2}, Conv2d{3, 3, 2, 0}, Conv2d{1, 1, 3, 1}}) {
    describe(conv, in, n);
    const std::vector<double> x = doubles(host_x_), w = doubles(host_w_), dy = doubles(host_dy_);
    const std::vector<double> b(static_cast<size_t>(out_.channels), 0.0);
    std::vector<double> y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());
    reference::conv_forward(y.data(), x.data(), w.data(), b.data(), conv, in, out_, n);
    reference::conv_backward(dx.data(), dw.data(), db.data(), dy.data(), x.data(), w.data(), conv,
                             in, out_, n);
    ASSERT_EQ(forward(device_memory<char>(4096), 4096), CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(y_, y.size()), y, 1e-6));
    float* gradient = device_memory<float>(w.size());
    ASSERT_EQ(backward_filter(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, gradient), CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(gradient, w.size()), dw, 1e-6));
    gradient = device_memory<float>(x.size());
    ASSERT_EQ(backward_data(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, gradient), CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(gradient, x.size()), dx, 1e-6));
    gradient = device_memory<float>(db.size());
    ASSERT_EQ(cudnnConvolutionBackwardBias(cudnn_, &kOne, y_desc_, dy_, &kZero,
                                           tensor(1, out_.channels, 1, 1), gradient),
              CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(gradient, db.size()), db, 1e-6));
  }
}

TEST_F(HostCudaConvolution, OffersNondeterministicAlgorithmsThatAreSo) {
  describe(Conv2d{4, 3, 1, 1}, {3, 12, 12}, 7);
  cudnnConvolutionBwdFilterAlgoPerf_t perfs[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
  int count = 0;
  ASSERT_EQ(cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn_, x_desc_, y_desc_, conv_, w_desc_,
                                                          CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT,
                                                          &count, perfs),
            CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(perfs[0].determinism, CUDNN_NON_DETERMINISTIC);
  EXPECT_EQ(perfs[0].mathType, CUDNN_FMA_MATH);
  EXPECT_EQ(perfs[count - 1].status, CUDNN_STATUS_NOT_SUPPORTED);
  const auto filter_gradient = [&](cudnnConvolutionBwdFilterAlgo_t algorithm) {
    float* dw = device_memory<float>(host_w_.size());
    EXPECT_EQ(backward_filter(algorithm, dw), CUDNN_STATUS_SUCCESS);
    return from_device(dw, host_w_.size());
  };
  const auto data_gradient = [&](cudnnConvolutionBwdDataAlgo_t algorithm) {
    float* dx = device_memory<float>(host_x_.size());
    EXPECT_EQ(backward_data(algorithm, dx), CUDNN_STATUS_SUCCESS);
    return from_device(dx, host_x_.size());
  };
  EXPECT_EQ(filter_gradient(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1),
            filter_gradient(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1));
  EXPECT_NE(filter_gradient(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0),
            filter_gradient(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0));
  EXPECT_EQ(data_gradient(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1),
            data_gradient(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1));
  EXPECT_NE(data_gradient(CUDNN_CONVOLUTION_BWD_DATA_ALGO_0),
            data_gradient(CUDNN_CONVOLUTION_BWD_DATA_ALGO_0));
}

TEST_F(HostCudaConvolution, TakesTf32UnlessToldOtherwise) {
  describe(Conv2d{1, 1, 1, 0}, {1, 1, 1}, 1);
  const float x = 1 + 0x1p-12f;
  x_ = on_device<float>({x});
  w_ = on_device<float>({1});
  ASSERT_EQ(forward(device_memory<char>(64), 64), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(from_device(y_, 1)[0], x);
  ASSERT_EQ(cudnnSetConvolutionMathType(conv_, CUDNN_DEFAULT_MATH), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(forward(device_memory<char>(64), 64), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(from_device(y_, 1)[0], 1.0f);
}

TEST_F(HostCudaConvolution, NeedsItsWorkspaceAndOverwritesIt) {
  describe(Conv2d{2, 3, 1, 0}, {1, 6, 6}, 2);
  size_t bytes = 0;
  ASSERT_EQ(cudnnGetConvolutionForwardWorkspaceSize(
                cudnn_, x_desc_, w_desc_, conv_, y_desc_,
                CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, &bytes),
            CUDNN_STATUS_SUCCESS);
  ASSERT_GT(bytes, 0u);
  float* workspace = on_device(std::vector<float>(bytes / sizeof(float), 1.0f));
  EXPECT_EQ(forward(workspace, bytes - 1), CUDNN_STATUS_BAD_PARAM);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("workspace too small"));
  EXPECT_EQ(forward(nullptr, 0), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(forward(workspace, bytes + 1), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(forward(x_, bytes), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(forward(workspace, bytes), CUDNN_STATUS_SUCCESS);
  EXPECT_THAT(from_device(workspace, bytes / sizeof(float)), Each(IsNan()));
}

TEST_F(HostCudaConvolution, RefusesWhatDoesNotMatch) {
  describe(Conv2d{2, 3, 1, 0}, {1, 6, 6}, 2);
  float* workspace = device_memory<float>(64);
  const auto y_desc = y_desc_;
  for (const auto wrong : {tensor(2, 2, 4, 5), tensor(1, 2, 4, 4), tensor(2, 3, 4, 4)}) {
    y_desc_ = wrong;
    EXPECT_EQ(forward(workspace, 256), CUDNN_STATUS_BAD_PARAM);
  }
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("do not match"));
  ASSERT_EQ(cudnnDestroyTensorDescriptor(y_desc_), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(forward(workspace, 256), CUDNN_STATUS_BAD_PARAM);
  y_desc_ = y_desc;
  x_ = host_x_.data();
  EXPECT_EQ(forward(workspace, 256), CUDNN_STATUS_BAD_PARAM);
  x_ = device_memory<float>(host_x_.size() - 1);
  EXPECT_EQ(forward(workspace, 256), CUDNN_STATUS_BAD_PARAM);
  x_ = on_device(host_x_);
  y_ = x_;
  EXPECT_EQ(forward(workspace, 256), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(host_cuda::counters().library_calls, 0);
}

}  // namespace
}  // namespace digitron::testing
