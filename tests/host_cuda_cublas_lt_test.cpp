#include <cublasLt.h>
#include <gmock/gmock.h>

#include "tests/engine_testing.h"
#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

using ::testing::HasSubstr;

constexpr float kAlpha = 1;
constexpr float kBeta = 0;
constexpr int kRows = 3, kColumns = 4, kInner = 5;
constexpr size_t kWorkspaceBytes = 1 << 16;

// d (3, 4) = relu(a^T (3, 5) b (5, 4) + bias (3))
class HostCudaCublasLt : public HostCuda {
 protected:
  void SetUp() override {
    HostCuda::SetUp();
    ASSERT_EQ(cublasLtCreate(&lt_), CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(cublasLtMatmulDescCreate(&matmul_, CUBLAS_COMPUTE_32F, CUDA_R_32F),
              CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(cublasLtMatmulPreferenceCreate(&preference_), CUBLAS_STATUS_SUCCESS);
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU_BIAS);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const float*>(on_device(bias_)));
    allow_workspace(kWorkspaceBytes);
    cublasLtMatrixLayoutCreate(&a_, CUDA_R_32F, kInner, kRows, kInner);
    cublasLtMatrixLayoutCreate(&b_, CUDA_R_32F, kInner, kColumns, kInner);
    cublasLtMatrixLayoutCreate(&d_, CUDA_R_32F, kRows, kColumns, kRows);
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    ASSERT_EQ(cublasLtMatmulDescSetAttribute(matmul_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
  }
  void allow_workspace(uint64_t bytes) {
    ASSERT_EQ(cublasLtMatmulPreferenceSetAttribute(
                  preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes),
              CUBLAS_STATUS_SUCCESS);
  }
  cublasStatus_t choose() {
    int returned = 0;
    return cublasLtMatmulAlgoGetHeuristic(lt_, matmul_, a_, b_, d_, d_, preference_, 1, &chosen_,
                                          &returned);
  }
  cublasStatus_t multiply(float* d, size_t workspace_bytes) {
    return cublasLtMatmul(lt_, matmul_, &kAlpha, on_device(a_values_), a_, on_device(b_values_), b_,
                          &kBeta, d, d_, d, d_, &chosen_.algo,
                          device_memory<float>(kWorkspaceBytes / 4), workspace_bytes, nullptr);
  }

  Random random_{1};
  const std::vector<float> a_values_ = random_.reals<float>(kInner * kRows);
  const std::vector<float> b_values_ = random_.reals<float>(kInner * kColumns);
  const std::vector<float> bias_ = random_.reals<float>(kRows);
  cublasLtHandle_t lt_ = nullptr;
  cublasLtMatmulDesc_t matmul_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
  cublasLtMatmulHeuristicResult_t chosen_{};
};

TEST_F(HostCudaCublasLt, MultipliesAddsTheBiasAndCutsOff) {
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  float* d = device_memory<float>(kRows * kColumns);
  ASSERT_EQ(multiply(d, chosen_.workspaceSize), CUBLAS_STATUS_SUCCESS);
  std::vector<double> expected;
  for (size_t j = 0; j < kColumns; ++j)
    for (size_t i = 0; i < kRows; ++i) {
      double sum = bias_[i];
      for (size_t l = 0; l < kInner; ++l)
        sum += double{a_values_[i * kInner + l]} * b_values_[j * kInner + l];
      expected.push_back(std::max(sum, 0.0));
    }
  EXPECT_TRUE(is_near(from_device(d, expected.size()), expected, 1e-6));
}

TEST_F(HostCudaCublasLt, RefusesWhatDoesNotFit) {
  ASSERT_EQ(choose(), CUBLAS_STATUS_SUCCESS);
  float* d = device_memory<float>(kRows * kColumns);
  EXPECT_EQ(multiply(d, chosen_.workspaceSize - 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("workspace"));

  std::vector<float> on_host(kRows * kColumns);
  EXPECT_EQ(multiply(on_host.data(), kWorkspaceBytes), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("not device memory"));

  set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
  EXPECT_EQ(multiply(d, kWorkspaceBytes), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("an algorithm of other layouts"));

  set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N);
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED) << "3 columns times 5 rows";
}

TEST_F(HostCudaCublasLt, OffersNothingWithoutWorkspace) {
  allow_workspace(16);
  EXPECT_EQ(choose(), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(matmul_, CUBLASLT_MATMUL_DESC_TRANSA, &kAlpha, 1),
            CUBLAS_STATUS_INVALID_VALUE)
      << "an attribute of another size";
}

}  // namespace
}  // namespace digitron::testing
