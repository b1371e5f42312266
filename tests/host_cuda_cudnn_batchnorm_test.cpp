#include <cmath>

#include "tests/host_cuda_cudnn_testing.h"

namespace digitron::testing {
namespace {

constexpr double kEpsilon = 1e-5;

// Two samples of (3, 2, 4), on the device and as doubles.
class HostCudaBatchNorm : public HostCudaCudnn {
 protected:
  static constexpr int kSamples = 2;
  static constexpr size_t kChannels = 3;
  const Shape shape_{kChannels, 2, 4};

  void SetUp() override {
    HostCudaCudnn::SetUp();
    Random random(17);
    const size_t count = kSamples * static_cast<size_t>(shape_.count());
    x_ = random.reals<float>(count, -1, 3);
    dy_ = random.reals<float>(count);
    w_ = random.reals<float>(kChannels);
    b_ = random.reals<float>(kChannels);
    mean_.resize(kChannels);
    variance_.resize(kChannels);
    reference::batchnorm_statistics(mean_.data(), variance_.data(), doubles(x_).data(), shape_,
                                    kSamples);
    device_x_ = on_device(x_);
    device_w_ = on_device(w_);
    device_b_ = on_device(b_);
    y_ = device_memory<float>(count);
    saved_mean_ = device_memory<float>(kChannels);
    saved_inverse_ = device_memory<float>(kChannels);
    running_mean_ = on_device<float>({1, 2, 3});
    running_variance_ = on_device<float>({4, 5, 6});
  }

  cudnnStatus_t train(cudnnTensorDescriptor_t y, cudnnTensorDescriptor_t channels, double epsilon,
                      float* running_mean, float* running_variance, void* out) {
    return cudnnBatchNormalizationForwardTraining(
        cudnn_, CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, tensor(kSamples, shape_), device_x_, y, out,
        channels, device_w_, device_b_, 0.1, running_mean, running_variance, epsilon, saved_mean_,
        saved_inverse_);
  }
  cudnnStatus_t train() {
    return train(tensor(kSamples, shape_), tensor(1, kChannels, 1, 1), kEpsilon, running_mean_,
                 running_variance_, y_);
  }
  std::vector<double> expected(const std::vector<double>& mean,
                               const std::vector<double>& variance) {
    std::vector<double> y(x_.size());
    reference::batchnorm_forward(y.data(), doubles(x_).data(), mean.data(), variance.data(),
                                 doubles(w_).data(), doubles(b_).data(), shape_, kSamples);
    return y;
  }

  std::vector<float> x_, dy_, w_, b_;
  std::vector<double> mean_, variance_;
  float *device_x_, *device_w_, *device_b_, *y_, *saved_mean_, *saved_inverse_;
  float *running_mean_, *running_variance_;
};

TEST_F(HostCudaBatchNorm, TrainingEqualsTheReference) {
  ASSERT_EQ(train(), CUDNN_STATUS_SUCCESS);
  EXPECT_TRUE(is_near(from_device(y_, x_.size()), expected(mean_, variance_), 1e-6));
  EXPECT_TRUE(is_near(from_device(saved_mean_, kChannels), mean_, 1e-6));
  std::vector<double> inverse;
  for (const double v : variance_) inverse.push_back(1 / std::sqrt(v + kEpsilon));
  EXPECT_TRUE(is_near(from_device(saved_inverse_, kChannels), inverse, 1e-6));
  std::vector<double> running_mean{1, 2, 3}, running_variance{4, 5, 6};
  reference::batchnorm_update(running_mean.data(), running_variance.data(), mean_.data(),
                              variance_.data(), kChannels, x_.size() / kChannels);
  EXPECT_TRUE(is_near(from_device(running_mean_, kChannels), running_mean, 1e-6));
  EXPECT_TRUE(is_near(from_device(running_variance_, kChannels), running_variance, 1e-6));
}

TEST_F(HostCudaBatchNorm, InferenceEqualsTheReference) {
  ASSERT_EQ(cudnnBatchNormalizationForwardInference(
                cudnn_, CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, tensor(kSamples, shape_), device_x_,
                tensor(kSamples, shape_), y_, tensor(1, kChannels, 1, 1), device_w_, device_b_,
                running_mean_, running_variance_, kEpsilon),
            CUDNN_STATUS_SUCCESS);
  EXPECT_TRUE(is_near(from_device(y_, x_.size()), expected({1, 2, 3}, {4, 5, 6}), 1e-6));
}

TEST_F(HostCudaBatchNorm, BackwardEqualsTheReferenceWithAndWithoutWhatWasSaved) {
  ASSERT_EQ(train(), CUDNN_STATUS_SUCCESS);
  std::vector<double> expected_dx(x_.size()), expected_dw(kChannels), expected_db(kChannels);
  reference::batchnorm_backward(expected_dx.data(), expected_dw.data(), expected_db.data(),
                                doubles(dy_).data(), doubles(x_).data(), mean_.data(),
                                variance_.data(), doubles(w_).data(), shape_, kSamples);
  const auto descriptor = tensor(kSamples, shape_);
  const float* dy = on_device(dy_);
  for (const bool saved : {true, false}) {
    float* dx = device_memory<float>(x_.size());
    float* dw = device_memory<float>(kChannels);
    float* db = device_memory<float>(kChannels);
    ASSERT_EQ(cudnnBatchNormalizationBackward(cudnn_, CUDNN_BATCHNORM_SPATIAL, &kOne, &kZero, &kOne,
                                              &kZero, descriptor, device_x_, descriptor, dy,
                                              descriptor, dx, tensor(1, kChannels, 1, 1), device_w_,
                                              dw, db, kEpsilon, saved ? saved_mean_ : nullptr,
                                              saved ? saved_inverse_ : nullptr),
              CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(is_near(from_device(dx, x_.size()), expected_dx, 1e-5));
    EXPECT_TRUE(is_near(from_device(dw, kChannels), expected_dw, 1e-5));
    EXPECT_TRUE(is_near(from_device(db, kChannels), expected_db, 1e-5));
  }
}

TEST_F(HostCudaBatchNorm, RefusesWhatDoesNotMatch) {
  const auto x = tensor(kSamples, shape_);
  const auto channels = tensor(1, kChannels, 1, 1);
  const auto refused = [&](cudnnTensorDescriptor_t y, cudnnTensorDescriptor_t c, double epsilon,
                           float* mean, float* variance, void* out) {
    return train(y, c, epsilon, mean, variance, out) == CUDNN_STATUS_BAD_PARAM;
  };
  std::vector<float> host(x_.size());
  EXPECT_TRUE(refused(tensor(kSamples, 3, 4, 2), channels, kEpsilon, nullptr, nullptr, y_));
  EXPECT_TRUE(refused(x, tensor(1, 4, 1, 1), kEpsilon, nullptr, nullptr, y_));
  EXPECT_TRUE(refused(x, tensor(1, 3, 2, 4), kEpsilon, nullptr, nullptr, y_));
  EXPECT_TRUE(refused(x, channels, -1e-5, nullptr, nullptr, y_));
  EXPECT_TRUE(refused(x, channels, kEpsilon, running_mean_, nullptr, y_));
  EXPECT_TRUE(refused(x, channels, kEpsilon, nullptr, nullptr, host.data()));
  EXPECT_TRUE(refused(x, channels, kEpsilon, host.data(), host.data(), y_));
  EXPECT_TRUE(refused(x, channels, kEpsilon, nullptr, nullptr, device_x_)) << "in place";
  EXPECT_EQ(train(x, channels, kEpsilon, nullptr, nullptr, y_), CUDNN_STATUS_SUCCESS);
}

}  // namespace
}  // namespace digitron::testing
