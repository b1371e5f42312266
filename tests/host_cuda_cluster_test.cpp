#include <gmock/gmock.h>

#include <algorithm>
#include <thread>
#include <vector>

#include <cooperative_groups.h>
#include "tests/host_cuda/dynamic_shared.h"
#include "tests/host_cuda_testing.h"

namespace digitron::testing {

extern __shared__ float cluster_rows[];

namespace {

namespace cg = cooperative_groups;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

using HostCudaCluster = HostCuda;

constexpr unsigned kThreads = 40;

// Every block hands its numbers to the next of its cluster, through both kinds of shared memory.
__global__ void rotate(float* out) {
  __shared__ float own[kThreads];
  const unsigned blocks = cg::this_cluster().num_blocks();
  const unsigned rank = cg::this_cluster().block_rank();
  const unsigned block = blockIdx.x + gridDim.x * blockIdx.y;
  cluster_rows[threadIdx.x] = static_cast<float>(block * kThreads + threadIdx.x);
  cg::this_cluster().sync();
  const int next = static_cast<int>((rank + 1) % blocks);
  own[threadIdx.x] = cg::this_cluster().map_shared_rank(cluster_rows, next)[threadIdx.x];
  __syncthreads();
  out[block * kThreads + threadIdx.x] = own[kThreads - 1 - threadIdx.x];
  cg::this_cluster().sync();  // nobody leaves while its rows are read
}

__global__ void thread_ranks(unsigned* out) {
  const unsigned rank = cg::this_cluster().thread_rank();
  out[rank] = rank;
}

__global__ void store_before_the_other_began(float* out) {
  cg::this_cluster().map_shared_rank(cluster_rows, 1 - static_cast<int>(blockIdx.x))[0] = 1;
  cg::this_cluster().sync();
  out[blockIdx.x] = cluster_rows[0];
  cg::this_cluster().sync();
}

__global__ void first_block_leaves() {
  if (blockIdx.x != 0) cg::this_cluster().sync();
}

__global__ void half_a_block_leaves() {
  if (threadIdx.x % 2 == 0) cg::this_cluster().sync();
}

__global__ void maps_static(int rank) {
  __shared__ float own[1];
  cg::this_cluster().map_shared_rank(rank == 0 ? own : cluster_rows, rank);
}

cudaLaunchAttribute cluster_of(unsigned x, unsigned y = 1, unsigned z = 1) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {x, y, z};
  return attribute;
}

cudaLaunchConfig_t configuration(dim3 grid, cudaLaunchAttribute& attribute) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = kThreads * sizeof(float);
  config.attrs = &attribute;
  config.numAttrs = 1;
  return config;
}

template <typename... Parameters, typename... Arguments>
cudaError_t launch_with(cudaLaunchAttribute attribute, dim3 grid, void (*kernel)(Parameters...),
                        Arguments... arguments) {
  const cudaLaunchConfig_t config = configuration(grid, attribute);
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// The problem of a kernel in clusters of two.
template <typename... Parameters, typename... Arguments>
std::string problem_of(void (*kernel)(Parameters...), Arguments... arguments) {
  host_cuda::reset();
  EXPECT_EQ(launch_with(cluster_of(2), 2, kernel, arguments...), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  return host_cuda::last_problem();
}

TEST_F(HostCudaCluster, SharesMemoryInAnyOrder) {
  for (const auto order : {host_cuda::Order::kAscending, host_cuda::Order::kDescending,
                           host_cuda::Order::kScrambled}) {
    host_cuda::set_order(order);
    float* out = device_memory<float>(12 * kThreads);
    ASSERT_EQ(launch_with(cluster_of(3), 12, rotate, out), cudaSuccess);
    const std::vector<float> values = from_device(out, 12 * kThreads);
    for (unsigned block = 0; block < 12; ++block) {
      const unsigned next = block / 3 * 3 + (block + 1) % 3;
      for (unsigned i = 0; i < kThreads; ++i)
        ASSERT_EQ(values[block * kThreads + i],
                  static_cast<float>(next * kThreads + kThreads - 1 - i));
    }
  }
}

TEST_F(HostCudaCluster, IsABoxOfTheGrid) {
  float* out = device_memory<float>(8 * kThreads);
  ASSERT_EQ(launch_with(cluster_of(2, 2), dim3(4, 2), rotate, out), cudaSuccess);
  const std::vector<float> values = from_device(out, 8 * kThreads);
  const std::vector<unsigned> next = {1, 4, 3, 6, 5, 0, 7, 2};
  for (unsigned block = 0; block < 8; ++block)
    EXPECT_EQ(values[block * kThreads], static_cast<float>(next[block] * kThreads + kThreads - 1));
}

TEST_F(HostCudaCluster, NumbersItsThreads) {
  unsigned* out = device_memory<unsigned>(2 * kThreads);
  ASSERT_EQ(launch_with(cluster_of(2), 2, thread_ranks, out), cudaSuccess);
  EXPECT_EQ(from_device(out, 2 * kThreads)[2 * kThreads - 1], 2 * kThreads - 1);
}

TEST_F(HostCudaCluster, IsOneBlockWhereNoneIsAskedFor) {
  float* out = device_memory<float>(2 * kThreads);
  ASSERT_EQ(launch(nullptr, {2, kThreads, kThreads * sizeof(float)}, rotate, out), cudaSuccess);
  EXPECT_EQ(from_device(out, 2 * kThreads)[kThreads], 2 * kThreads - 1);
  ASSERT_EQ(launch_with(cluster_of(1), 2, rotate, out), cudaSuccess);
  EXPECT_EQ(from_device(out, 2 * kThreads)[0], kThreads - 1);
}

// The block that begins second poisons its memory then.
TEST_F(HostCudaCluster, LosesStoresIntoABlockThatHasNotBegun) {
  float* out = device_memory<float>(2);
  ASSERT_EQ(launch_with(cluster_of(2), 2, store_before_the_other_began, out), cudaSuccess);
  EXPECT_THAT(from_device(out, 2), ElementsAre(1, IsNan()));
}

TEST_F(HostCudaCluster, PassesBarriersTogetherOrNotAtAll) {
  EXPECT_THAT(problem_of(first_block_leaves), HasSubstr("block 1 of a cluster waits"));
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("host_cuda_cluster_test.cpp:"));
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("block 0 ended before it"));
  EXPECT_THAT(problem_of(half_a_block_leaves), HasSubstr("20 threads wait for ever"));
}

TEST_F(HostCudaCluster, MapsDynamicArraysOfItsBlocksAlone) {
  EXPECT_THAT(problem_of(maps_static, 0), HasSubstr("dynamic shared array"));
  EXPECT_THAT(problem_of(maps_static, 2), HasSubstr("no block 2 in a cluster of 2"));
}

TEST_F(HostCudaCluster, RunsAgainAfterABrokenOne) {
  EXPECT_THAT(problem_of(first_block_leaves), HasSubstr("ended before it"));
  host_cuda::reset();
  float* out = device_memory<float>(2 * kThreads);
  ASSERT_EQ(launch_with(cluster_of(2), 2, rotate, out), cudaSuccess);
  EXPECT_EQ(from_device(out, 1)[0], 2 * kThreads - 1);
}

// A thread that the stand-in has ended leaves its memory to the next one, which AddressSanitizer
// must not take for out of bounds.
TEST_F(HostCudaCluster, ABrokenOneLeavesNoMemoryBehindThatNobodyMayTouch) {
  EXPECT_THAT(problem_of(first_block_leaves), HasSubstr("ended before it"));
  host_cuda::reset();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (std::byte* array : host_cuda::dynamic_shared_arrays()) {
        std::fill_n(array, host_cuda::kDynamicSharedBytes, std::byte{1});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HostCudaCluster, IsRefusedWhereItDoesNotFit) {
  unsigned* out = device_memory<unsigned>(64 * kThreads);
  const auto refused = [&](unsigned blocks, cudaLaunchAttribute attribute) {
    return launch_with(attribute, blocks, thread_ranks, out);
  };
  EXPECT_EQ(refused(9, cluster_of(9)), cudaErrorInvalidClusterSize);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("1 to 8 blocks"));
  EXPECT_EQ(refused(2, cluster_of(0)), cudaErrorInvalidClusterSize);
  EXPECT_EQ(refused(3, cluster_of(2)), cudaErrorInvalidClusterSize);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("no multiple of the cluster"));
  host_cuda::set_compute_capability(8, 6);
  EXPECT_EQ(refused(2, cluster_of(2)), cudaErrorNotSupported);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("compute capability 9.0"));
  EXPECT_EQ(host_cuda::counters().kernels, 0);
  EXPECT_EQ(launch(nullptr, {1, 1}, thread_ranks, out), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("compute capability 9.0"));
}

TEST_F(HostCudaCluster, FillsTheMultiprocessors) {
  cudaLaunchAttribute attribute = cluster_of(2);
  cudaLaunchConfig_t config = configuration(8, attribute);
  int clusters = -1;
  EXPECT_EQ(cudaOccupancyMaxActiveClusters(&clusters, rotate, &config), cudaSuccess);
  EXPECT_EQ(clusters, 4);
  config.dynamicSmemBytes = host_cuda::kSharedBytes + 1;
  EXPECT_EQ(cudaOccupancyMaxActiveClusters(&clusters, rotate, &config), cudaErrorInvalidValue);
  EXPECT_EQ(clusters, 0);
}

using HostCudaLaunch = HostCuda;

TEST_F(HostCudaLaunch, RefusesAttributesThatItDoesNotModel) {
  unsigned* out = device_memory<unsigned>(kThreads);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeIgnore;
  EXPECT_EQ(launch_with(attribute, 1, thread_ranks, out), cudaSuccess);
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  EXPECT_EQ(launch_with(attribute, 1, thread_ranks, out), cudaErrorNotSupported);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("attribute 2 is not modelled"));
  cudaLaunchConfig_t config = configuration(1, attribute);
  config.attrs = nullptr;
  EXPECT_EQ(cudaLaunchKernelEx(&config, thread_ranks, out), cudaErrorInvalidValue);
}

TEST_F(HostCudaLaunch, HasTheSharedMemoryOfItsComputeCapability) {
  const int kib[][3] = {{7, 5, 64},  {8, 0, 163},  {8, 6, 99},   {8, 7, 163}, {8, 9, 99},
                        {9, 0, 227}, {10, 0, 227}, {11, 0, 227}, {12, 0, 99}};
  for (const auto& [major, minor, most] : kib) {
    host_cuda::set_compute_capability(major, minor);
    int bytes = 0;
    EXPECT_EQ(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0),
              cudaSuccess);
    EXPECT_EQ(bytes, most * 1024);
    const auto ask = [](int wanted) {
      return cudaFuncSetAttribute(rotate, cudaFuncAttributeMaxDynamicSharedMemorySize, wanted);
    };
    EXPECT_EQ(ask(bytes), cudaSuccess);
    EXPECT_EQ(ask(bytes + 1), cudaErrorInvalidValue);
  }
}

}  // namespace

HOST_CUDA_DYNAMIC_SHARED(float, cluster_rows);

}  // namespace digitron::testing
