#include <gmock/gmock.h>

#include <cmath>

#include <cublas_v2.h>
#include "tests/engine_testing.h"
#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsNan;

constexpr float kOne = 1;
constexpr float kZero = 0;

class HostCudaCublas : public HostCuda {
 protected:
  void SetUp() override {
    HostCuda::SetUp();
    ASSERT_EQ(cublasCreate(&cublas_), CUBLAS_STATUS_SUCCESS);
  }

  cublasStatus_t square(const float* a, const float* b, float* c, int n = 2) {
    return cublasSgemm(cublas_, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &kOne, a, n, b, n, &kZero, c, n);
  }

  cublasHandle_t cublas_ = nullptr;
};

// Element (i, j) of op(matrix), where columns are stored `leading` floats apart.
double element(const std::vector<float>& matrix, cublasOperation_t op, int leading, int i, int j) {
  const int index = op == CUBLAS_OP_N ? j * leading + i : i * leading + j;
  return matrix[static_cast<size_t>(index)];
}

TEST_F(HostCudaCublas, MultipliesWithTranspositionsAndGaps) {
  const int m = 3, n = 4, k = 5;
  const float alpha = 0.5f, beta = -2.0f;
  for (const auto op_a : {CUBLAS_OP_N, CUBLAS_OP_T})
    for (const auto op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      const int lda = (op_a == CUBLAS_OP_N ? m : k) + 1;
      const int ldb = (op_b == CUBLAS_OP_N ? k : n) + 2;
      const int ldc = m + 3;
      Random random(1);
      const std::vector<float> a = random.reals<float>(48);
      const std::vector<float> b = random.reals<float>(48);
      const std::vector<float> c = random.reals<float>(48);
      float* out = on_device(c);
      ASSERT_EQ(cublasSgemm(cublas_, op_a, op_b, m, n, k, &alpha, on_device(a), lda, on_device(b),
                            ldb, &beta, out, ldc),
                CUBLAS_STATUS_SUCCESS);
      std::vector<double> expected(c.begin(), c.end());
      for (int j = 0; j < n; ++j)
        for (int i = 0; i < m; ++i) {
          double sum = 0;
          for (int l = 0; l < k; ++l)
            sum += element(a, op_a, lda, i, l) * element(b, op_b, ldb, l, j);
          double& value = expected[static_cast<size_t>(j * ldc + i)];
          value = alpha * sum + beta * value;
        }
      EXPECT_TRUE(is_near(from_device(out, 48), expected, 1e-6));
    }
}

TEST_F(HostCudaCublas, MultipliesMatrixAndVector) {
  const float* a = on_device<float>({1, 2, 3, 4, 5, 6});  // 2 rows, 3 columns
  const float* x = on_device<float>({1, 0, 10, 0, 100});
  float* y = device_memory<float>(3);
  ASSERT_EQ(cublasSgemv(cublas_, CUBLAS_OP_N, 2, 3, &kOne, a, 2, x, 2, &kZero, y, 1),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(from_device(y, 2), (std::vector<float>{531, 642}));
  ASSERT_EQ(cublasSgemv(cublas_, CUBLAS_OP_T, 2, 3, &kOne, a, 2, x, 2, &kZero, y, 1),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(from_device(y, 3), (std::vector<float>{21, 43, 65}));
}

TEST_F(HostCudaCublas, ReadsTheResultOnlyWhenBetaAsks) {
  const float* ones = on_device<float>({1, 1, 1, 1});
  float* c = device_memory<float>(4);
  ASSERT_EQ(square(ones, ones, c), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(from_device(c, 4), std::vector<float>(4, 2.0f));
  float* poisoned = device_memory<float>(4);
  ASSERT_EQ(cublasSgemm(cublas_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &kOne, ones, 2, ones, 2, &kOne,
                        poisoned, 2),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_THAT(from_device(poisoned, 4), ::testing::Each(IsNan()));
}

TEST_F(HostCudaCublas, RoundsFactorsOnlyWhenTf32IsAllowed) {
  const float x = 1 + 0x1p-12f;
  const float* a = on_device<float>({x});
  float* c = device_memory<float>(1);
  ASSERT_EQ(square(a, on_device<float>({1}), c, 1), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(from_device(c, 1)[0], x);
  ASSERT_EQ(cublasSetMathMode(cublas_, CUBLAS_TF32_TENSOR_OP_MATH), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(square(a, on_device<float>({1}), c, 1), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(from_device(c, 1)[0], 1.0f);
}

TEST_F(HostCudaCublas, RefusesALeadingDimensionTooSmall) {
  const float* a = device_memory<float>(100);
  float* c = device_memory<float>(100);
  const auto gemm = [&](cublasOperation_t op_a, cublasOperation_t op_b, int lda, int ldb, int ldc) {
    return cublasSgemm(cublas_, op_a, op_b, 3, 4, 5, &kOne, a, lda, a, ldb, &kZero, c, ldc);
  };
  EXPECT_EQ(gemm(CUBLAS_OP_N, CUBLAS_OP_N, 3, 5, 3), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(gemm(CUBLAS_OP_N, CUBLAS_OP_N, 2, 5, 3), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(CUBLAS_OP_N, CUBLAS_OP_N, 3, 4, 3), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(CUBLAS_OP_N, CUBLAS_OP_N, 3, 5, 2), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(CUBLAS_OP_T, CUBLAS_OP_T, 5, 4, 3), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(gemm(CUBLAS_OP_T, CUBLAS_OP_T, 4, 4, 3), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemm(CUBLAS_OP_T, CUBLAS_OP_T, 5, 3, 3), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("leading dimension"));
}

TEST_F(HostCudaCublas, RefusesPointersOfTheWrongSide) {
  std::vector<float> host(4);
  float* device = device_memory<float>(4);
  const float* a = on_device<float>({1, 1, 1, 1});
  EXPECT_EQ(square(host.data(), a, device), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(square(a, host.data(), device), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(square(a, a, host.data()), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(square(a, a, device + 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(square(a, device, device), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(
      cublasSgemm(cublas_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, a, a, 2, a, 2, &kZero, device, 2),
      CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(host_cuda::counters().library_calls, 0);
}

TEST_F(HostCudaCublas, NeedsAWorkspaceToBeCaptured) {
  const float* a = on_device<float>({1, 1, 1, 1});
  float* c = device_memory<float>(4);
  void* workspace = device_memory<char>(1024);
  const cudaStream_t stream = new_stream();
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cublasSetWorkspace(cublas_, static_cast<char*>(workspace) + 4, 512),
            CUBLAS_STATUS_INVALID_VALUE);
  ASSERT_EQ(cublasSetWorkspace(cublas_, workspace, 1024), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasSetStream(cublas_, stream), CUBLAS_STATUS_SUCCESS);  // forgets the workspace
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(square(a, a, c), CUBLAS_STATUS_ALLOC_FAILED);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  ASSERT_EQ(cublasSetWorkspace(cublas_, workspace, 1024), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(square(a, a, c), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  EXPECT_THAT(from_device(c, 4), ::testing::Each(IsNan()));
}

TEST_F(HostCudaCublas, FailsWhenAskedAndOnALostDevice) {
  const float* a = on_device<float>({1, 1, 1, 1});
  float* c = device_memory<float>(4);
  host_cuda::fail_call("cublasSgemm", CUBLAS_STATUS_INTERNAL_ERROR);
  EXPECT_EQ(square(a, a, c), CUBLAS_STATUS_INTERNAL_ERROR);
  EXPECT_EQ(square(a, a, c), CUBLAS_STATUS_SUCCESS);
  host_cuda::fail_call("cudaDeviceSynchronize", cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(square(a, a, c), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_STREQ(cublasGetStatusString(CUBLAS_STATUS_EXECUTION_FAILED),
               "CUBLAS_STATUS_EXECUTION_FAILED");
}

}  // namespace
}  // namespace digitron::testing
