#include <gmock/gmock.h>

#include <numeric>

#include "tests/host_cuda_testing.h"

namespace digitron::testing {

extern __shared__ float rows[];

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

using HostCudaKernel = HostCuda;

__global__ void number(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned index = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[index] = static_cast<int>(index);
}

__global__ void reverse_block(int* out) {
  __shared__ int tile[1024];
  tile[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

__global__ void shuffle_all_ways(int* down, int* up, int* flip, int* from) {
  const int lane = static_cast<int>(threadIdx.x);
  down[lane] = __shfl_down_sync(0xffffffffu, lane, 3);
  up[lane] = __shfl_up_sync(0xffffffffu, lane, 3);
  flip[lane] = __shfl_xor_sync(0xffffffffu, lane, 5, 8);
  from[lane] = __shfl_sync(0xffffffffu, lane, 2, 16);
}

__global__ void vote(unsigned* ballots, double* shuffled) {
  if (threadIdx.x >= 40) return;
  const unsigned lane = threadIdx.x % 32;
  const unsigned mask = threadIdx.x < 32 ? 0xffffffffu : 0xffu;
  ballots[threadIdx.x] = __ballot_sync(mask, lane % 3 == 0);
  shuffled[threadIdx.x] = __shfl_sync(mask, 1.5 * threadIdx.x, 1);
}

__global__ void dynamic_rows(float* out) {
  const float before = rows[threadIdx.x];
  rows[threadIdx.x] = 1;
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = before + rows[blockDim.x - 1 - threadIdx.x];
}

__global__ void past_the_end(int* out) {
  out[1000] = 1;
}

__global__ void half_at_a_barrier() {
  if (threadIdx.x % 2 == 0) __syncthreads();
}

__global__ void two_barriers() {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void half_a_warp() {
  if (threadIdx.x % 2 == 0) __syncwarp();
  __syncthreads();
}

__global__ void outside_its_mask() {
  __syncwarp(1u);
}

TEST_F(HostCudaKernel, RunsEveryThreadOfEveryBlock) {
  std::vector<int> expected(2 * 3 * 2 * 4 * 2 * 5);
  std::iota(expected.begin(), expected.end(), 0);
  for (const auto order : {host_cuda::Order::kAscending, host_cuda::Order::kDescending,
                           host_cuda::Order::kScrambled}) {
    host_cuda::set_order(order);
    int* out = device_memory<int>(expected.size());
    ASSERT_EQ(launch(nullptr, {dim3(2, 3, 2), dim3(4, 2, 5)}, number, out), cudaSuccess);
    EXPECT_EQ(from_device(out, expected.size()), expected);
  }
}

TEST_F(HostCudaKernel, MeetsAtBarriersForAnyBlockSize) {
  for (const int threads : {1, 7, 63, 64, 65, 1000, 1024}) {
    const size_t count = static_cast<size_t>(threads);
    int* out = device_memory<int>(3 * count);
    ASSERT_EQ(launch(nullptr, {3, static_cast<unsigned>(threads)}, reverse_block, out),
              cudaSuccess);
    const std::vector<int> values = from_device(out, 3 * count);
    for (size_t i = 0; i < 3 * count; ++i)
      ASSERT_EQ(values[i], threads - 1 - static_cast<int>(i % count)) << threads;
  }
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

TEST_F(HostCudaKernel, ShufflesWithinTheWidth) {
  int* out[4];
  for (int*& memory : out) memory = device_memory<int>(32);
  ASSERT_EQ(launch(nullptr, {1, 32}, shuffle_all_ways, out[0], out[1], out[2], out[3]),
            cudaSuccess);
  for (int lane = 0; lane < 32; ++lane) {
    const auto at = [&](int i) { return from_device(out[i], 32)[static_cast<size_t>(lane)]; };
    EXPECT_EQ(at(0), lane + 3 < 32 ? lane + 3 : lane);
    EXPECT_EQ(at(1), lane >= 3 ? lane - 3 : lane);
    EXPECT_EQ(at(2), lane ^ 5);
    EXPECT_EQ(at(3), lane < 16 ? 2 : 18);
  }
}

TEST_F(HostCudaKernel, VotesInRaggedWarps) {
  unsigned* ballots = device_memory<unsigned>(40);
  double* shuffled = device_memory<double>(40);
  ASSERT_EQ(launch(nullptr, {1, 50}, vote, ballots, shuffled), cudaSuccess);
  EXPECT_EQ(from_device(ballots, 40)[31], 0x49249249u);
  EXPECT_EQ(from_device(ballots, 40)[39], 0x49u);
  EXPECT_EQ(from_device(shuffled, 40)[0], 1.5);
  EXPECT_EQ(from_device(shuffled, 40)[39], 1.5 * 33);
}

TEST_F(HostCudaKernel, PoisonsDynamicSharedMemoryInEveryBlock) {
  float* out = device_memory<float>(20);
  ASSERT_EQ(launch(nullptr, {2, 10, 40}, dynamic_rows, out), cudaSuccess);
  EXPECT_THAT(from_device(out, 20), Each(IsNan()));
}

TEST_F(HostCudaKernel, NeedsLeaveForMuchDynamicSharedMemory) {
  float* out = device_memory<float>(1);
  const LaunchExtent extent{1, 1, host_cuda::kSharedBytes + 1};
  EXPECT_EQ(launch(nullptr, extent, dynamic_rows, out), cudaErrorInvalidValue);
  ASSERT_EQ(cudaFuncSetAttribute(dynamic_rows, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(host_cuda::kDynamicSharedBytes)),
            cudaSuccess);
  EXPECT_EQ(launch(nullptr, extent, dynamic_rows, out), cudaSuccess);
  EXPECT_EQ(cudaFuncSetAttribute(dynamic_rows, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(host_cuda::kDynamicSharedBytes) + 1),
            cudaErrorInvalidValue);
}

TEST_F(HostCudaKernel, RefusesBadLaunches) {
  int* out = device_memory<int>(1);
  EXPECT_EQ(launch(nullptr, {1, 0}, number, out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(nullptr, {0, 1}, number, out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(nullptr, {1, 1025}, number, out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(nullptr, {1, dim3(1, 1, 65)}, number, out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(nullptr, {dim3(1, 65536), 1}, number, out), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  host_cuda::set_compute_capability(7, 0);
  EXPECT_EQ(launch(nullptr, {1, 1}, number, out), cudaErrorNoKernelImageForDevice);
  EXPECT_EQ(host_cuda::counters().kernels, 0);
}

TEST_F(HostCudaKernel, RefusesHostMemory) {
  int out[1] = {};
  EXPECT_EQ(launch(nullptr, {1, 1}, number, &out[0]), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(out[0], 0);
}

// By AddressSanitizer at once, otherwise after the launch.
TEST_F(HostCudaKernel, SeesWritesPastTheEnd) {
  const auto write = [] {
    static_cast<void>(launch(nullptr, {1, 1}, past_the_end, device_memory<int>(1000)));
    std::_Exit(cudaDeviceSynchronize() == cudaErrorIllegalAddress ? 1 : 0);
  };
  EXPECT_EXIT(
      write(), [](int status) { return status != 0; }, "");
}

cudaError_t run_broken(void (*kernel)()) {
  host_cuda::reset();
  EXPECT_EQ(launch(nullptr, {1, 64}, kernel), cudaSuccess);
  return cudaDeviceSynchronize();
}

TEST_F(HostCudaKernel, ReportsBarriersThatNotAllThreadsReach) {
  EXPECT_EQ(run_broken(half_at_a_barrier), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("32 threads wait for ever"));
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("host_cuda_kernel_test.cpp:"));
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("32 threads returned"));
  EXPECT_EQ(run_broken(two_barriers), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("different barriers"));
  EXPECT_EQ(run_broken(half_a_warp), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("wait for ever"));
  EXPECT_EQ(run_broken(outside_its_mask), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("mask leaves out"));
}

TEST_F(HostCudaKernel, RunsAgainAfterABrokenOne) {
  EXPECT_EQ(run_broken(half_at_a_barrier), cudaErrorLaunchFailure);
  host_cuda::reset();
  int* out = device_memory<int>(8);
  ASSERT_EQ(launch(nullptr, {2, 4}, reverse_block, out), cudaSuccess);
  EXPECT_THAT(from_device(out, 8), ElementsAre(3, 2, 1, 0, 3, 2, 1, 0));
}

}  // namespace

HOST_CUDA_DYNAMIC_SHARED(float, rows);

}  // namespace digitron::testing
