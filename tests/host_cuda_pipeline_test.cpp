#include <gmock/gmock.h>

#include <cuda_pipeline.h>
#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

using HostCudaPipeline = HostCuda;

// Two commits of 16 bytes; reads after a wait for all but the last `prior`.
__global__ void copy_in_two(float* out, const float* x, size_t prior) {
  __shared__ __align__(16) float row[8];
  for (int i = 0; i < 8; i += 4) {
    __pipeline_memcpy_async(&row[i], &x[i], 16);
    __pipeline_commit();
  }
  __pipeline_wait_prior(prior);
  for (int i = 0; i < 8; ++i) out[i] = row[i];
  __pipeline_wait_prior(0);
}

__global__ void copy_sizes(float* out, const float* x) {
  __shared__ __align__(16) float row[8];
  __pipeline_memcpy_async(&row[0], &x[0], 4);
  __pipeline_memcpy_async(&row[2], &x[2], 8, 4);
  __pipeline_memcpy_async(&row[4], &x[4], 16, 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  for (int i = 0; i < 8; ++i)
    if (i != 1) out[i] = row[i];
}

__global__ void forgets_to_commit(float* out, const float* x) {
  __shared__ float row[1];
  __pipeline_memcpy_async(row, x, 4);
  __pipeline_wait_prior(0);
  out[0] = row[0];
  __pipeline_commit();
  __pipeline_wait_prior(0);
}

__global__ void never_waits(const float* x) {
  __shared__ float row[1];
  __pipeline_memcpy_async(row, x, 4);
  __pipeline_commit();
}

__global__ void copies(float* to, const float* from, size_t bytes) {
  __shared__ __align__(16) float row[8];
  __pipeline_memcpy_async(to == nullptr ? row + 1 : to, from, bytes);
}

float* numbers() {
  return on_device<float>({1, 2, 3, 4, 5, 6, 7, 8});
}

template <typename... Parameters, typename... Arguments>
std::string problem_of(void (*kernel)(Parameters...), Arguments... arguments) {
  EXPECT_EQ(launch(nullptr, {1, 1}, kernel, arguments...), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  const std::string problem = host_cuda::last_problem();
  host_cuda::reset();
  return problem;
}

TEST_F(HostCudaPipeline, CopiesWhatItWaitsFor) {
  float* out = device_memory<float>(8);
  ASSERT_EQ(launch(nullptr, {1, 1}, copy_in_two, out, numbers(), size_t{0}), cudaSuccess);
  EXPECT_THAT(from_device(out, 8), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  ASSERT_EQ(launch(nullptr, {1, 1}, copy_in_two, out, numbers(), size_t{1}), cudaSuccess);
  EXPECT_THAT(from_device(out, 8), ElementsAre(1, 2, 3, 4, IsNan(), IsNan(), IsNan(), IsNan()));
  ASSERT_EQ(launch(nullptr, {1, 1}, copy_in_two, out, numbers(), size_t{2}), cudaSuccess);
  EXPECT_THAT(from_device(out, 8), Each(IsNan()));
}

TEST_F(HostCudaPipeline, FillsWithZeros) {
  float* out = on_device<float>(std::vector<float>(8, 9));
  ASSERT_EQ(launch(nullptr, {1, 1}, copy_sizes, out, numbers()), cudaSuccess);
  EXPECT_THAT(from_device(out, 8), ElementsAre(1, 9, 3, 0, 0, 0, 0, 0));
}

TEST_F(HostCudaPipeline, WaitsOnlyForWhatWasCommitted) {
  float* out = device_memory<float>(1);
  ASSERT_EQ(launch(nullptr, {1, 1}, forgets_to_commit, out, numbers()), cudaSuccess);
  EXPECT_THAT(from_device(out, 1), ElementsAre(IsNan()));
}

TEST_F(HostCudaPipeline, ReportsCopiesThatNobodyWaitsFor) {
  EXPECT_THAT(problem_of(never_waits, numbers()), HasSubstr("did not wait for"));
}

TEST_F(HostCudaPipeline, RefusesWhatTheDeviceCannotCopy) {
  float* const none = nullptr;
  EXPECT_THAT(problem_of(copies, none, numbers(), size_t{12}), HasSubstr("12 bytes, not 4, 8"));
  EXPECT_THAT(problem_of(copies, none, numbers(), size_t{8}), HasSubstr("no multiple of that"));
  EXPECT_THAT(problem_of(copies, none, numbers() + 8, size_t{4}), HasSubstr("not global"));
  EXPECT_THAT(problem_of(copies, numbers(), numbers(), size_t{4}), HasSubstr("not shared"));
  EXPECT_THAT(problem_of(copies, none, numbers(), size_t{8}), HasSubstr("_pipeline_test.cpp:"));
}

}  // namespace
}  // namespace digitron::testing
