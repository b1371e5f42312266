// Kernels that start before the one in front of them has ended.
#include <gmock/gmock.h>

#include <cooperative_groups.h>
#include "tests/host_cuda_testing.h"

namespace digitron::testing {

extern __shared__ int early_values[];

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr unsigned kThreads = 33;

// Each kernel here adds one to what it finds in `in`: before and after it has waited.
struct Found {
  int early;
  int late;
  bool operator==(const Found& other) const = default;
};

__global__ void add_one(Found* out, const Found* in) {
  __shared__ int early[kThreads];
  const unsigned thread = threadIdx.x;
  early[thread] = in[blockIdx.x].late;
  early_values[thread] = in[blockIdx.x].late;
  __syncthreads();
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  const unsigned other = kThreads - 1 - thread;  // both arrays are the block's own
  if (early[other] != early_values[other]) return;
  if (thread == 0) out[blockIdx.x] = {early[other] + 1, in[blockIdx.x].late + 1};
}

__global__ void add_one_triggering_first(Found* out, const Found* in) {
  if (threadIdx.x == 7) cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
  if (threadIdx.x == 0) out[blockIdx.x].late = in[blockIdx.x].late + 1;
}

__global__ void add_one_without_waiting(Found* out, const Found* in) {
  if (threadIdx.x == 0) out[blockIdx.x].late = in[blockIdx.x].late + 1;
}

// Half of a cluster triggers only behind a barrier that the other half passes after it triggered.
__global__ void add_one_in_pairs(Found* out, const Found* in) {
  const auto cluster = cooperative_groups::this_cluster();
  const int early = in[blockIdx.x].late;
  if (cluster.block_rank() == 0) cudaTriggerProgrammaticLaunchCompletion();
  cluster.sync();
  if (cluster.block_rank() == 1) cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
  if (threadIdx.x == 0) early_values[0] = in[blockIdx.x].late;
  cluster.sync();
  const int partner = 1 - static_cast<int>(cluster.block_rank());
  const int late = *cluster.map_shared_rank(early_values, partner);
  cluster.sync();
  if (threadIdx.x == 0) out[blockIdx.x] = {early + 1, late + 1};
}

__global__ void half_at_its_barrier() {
  cudaGridDependencySynchronize();
  if (threadIdx.x % 2 == 0) __syncthreads();
}

class HostCudaOverlap : public HostCuda {
 protected:
  void SetUp() override {
    HostCuda::SetUp();
    stream_ = new_stream();
    resize(2);
  }

  // Memory for a chain of three kernels, all zeros.
  void resize(unsigned blocks) {
    blocks_ = blocks;
    for (Found*& row : rows_) row = on_device<Found>(std::vector<Found>(blocks));
  }

  template <typename... Parameters, typename... Arguments>
  cudaError_t enqueue(std::vector<cudaLaunchAttribute> attributes, void (*kernel)(Parameters...),
                      Arguments... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(blocks_);
    config.blockDim = dim3(threads_);
    config.dynamicSmemBytes = kThreads * sizeof(int);
    config.stream = stream_;
    config.attrs = attributes.data();
    config.numAttrs = static_cast<unsigned>(attributes.size());
    return cudaLaunchKernelEx(&config, kernel, arguments...);
  }

  static cudaLaunchAttribute programmatic(int allowed = 1) {
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = allowed;
    return attribute;
  }

  static cudaLaunchAttribute pairs() {
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {2, 1, 1};
    return attribute;
  }

  void add(int row, std::vector<cudaLaunchAttribute> attributes,
           void (*kernel)(Found*, const Found*) = add_one) {
    EXPECT_EQ(enqueue(std::move(attributes), kernel, rows_[row], rows_[row - 1]), cudaSuccess);
  }

  std::vector<Found> found(int row) { return from_device(rows_[row], blocks_); }

  cudaStream_t stream_ = nullptr;
  Found* rows_[4] = {};
  unsigned blocks_ = 0;
  unsigned threads_ = kThreads;
};

TEST_F(HostCudaOverlap, StartsBeforeTheKernelInFrontHasRun) {
  for (const auto order : {host_cuda::Order::kAscending, host_cuda::Order::kDescending,
                           host_cuda::Order::kScrambled}) {
    host_cuda::set_order(order);
    resize(5);
    add(1, {});
    add(2, {programmatic()});
    EXPECT_THAT(found(1), Each(Found{1, 1}));
    EXPECT_THAT(found(2), Each(Found{1, 2}));
  }
  EXPECT_EQ(host_cuda::counters().kernels, 6);
}

TEST_F(HostCudaOverlap, StartsEarlyInGraphs) {
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  add(1, {});
  add(2, {programmatic()});
  add(3, {});
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_THAT(found(2), Each(Found{1, 2}));
  EXPECT_THAT(found(3), Each(Found{3, 3}));
}

TEST_F(HostCudaOverlap, WaitsWhereItIsNotAskedToOverlap) {
  add(1, {});
  add(2, {programmatic(0)});
  EXPECT_THAT(found(2), Each(Found{2, 2}));
  add(1, {});
  ASSERT_EQ(cudaMemsetAsync(rows_[2], 0, sizeof(Found), stream_), cudaSuccess);
  add(2, {programmatic()});
  EXPECT_THAT(found(2), Each(Found{2, 2}));
  stream_ = new_stream();
  add(1, {});
  stream_ = new_stream();
  add(2, {programmatic()});
  EXPECT_THAT(found(2), Each(Found{2, 2}));
}

// The third starts when the second has triggered, which has waited for the first.
TEST_F(HostCudaOverlap, StartsWhenTheKernelInFrontHasTriggered) {
  add(1, {});
  ASSERT_EQ(enqueue({programmatic()}, add_one, rows_[3], rows_[1]), cudaSuccess);
  ASSERT_EQ(enqueue({programmatic()}, add_one, rows_[0], rows_[1]), cudaSuccess);
  EXPECT_THAT(found(0), Each(Found{2, 2}));
  add(1, {});
  ASSERT_EQ(enqueue({programmatic()}, add_one, rows_[0], rows_[3]), cudaSuccess);
  ASSERT_EQ(enqueue({programmatic()}, add_one, rows_[1], rows_[0]), cudaSuccess);
  EXPECT_THAT(found(1), Each(Found{3, 4}));  // but what the second wrote it found as it was
}

TEST_F(HostCudaOverlap, StartsTooEarlyBehindATriggerBeforeTheWait) {
  add(1, {});
  ASSERT_EQ(enqueue({programmatic()}, add_one_triggering_first, rows_[3], rows_[1]), cudaSuccess);
  ASSERT_EQ(enqueue({programmatic()}, add_one, rows_[2], rows_[1]), cudaSuccess);
  EXPECT_THAT(found(2), Each(Found{1, 2}));
}

TEST_F(HostCudaOverlap, RunsWhollyFirstIfItNeverWaits) {
  add(1, {});
  add(2, {programmatic()}, add_one_without_waiting);
  add(3, {programmatic()});
  EXPECT_THAT(found(2), Each(Found{0, 1}));
  EXPECT_THAT(found(3), Each(Found{2, 2}));
}

TEST_F(HostCudaOverlap, StartsTheFirstAndTheLastBlocksOfMany) {
  resize(20);
  add(1, {});
  add(2, {programmatic()});
  add(3, {programmatic()});
  std::vector<Found> expected(20, {2, 2});
  expected.front() = expected.back() = {1, 2};
  EXPECT_EQ(found(2), expected);
  EXPECT_EQ(found(3).front(), (Found{1, 3}));
  EXPECT_EQ(found(3)[7], (Found{3, 3}));
}

TEST_F(HostCudaOverlap, StartsTheFirstAndTheLastBlocksOfLargeOnes) {
  resize(3);
  add(1, {});
  threads_ = 1024;
  add(2, {programmatic()}, add_one_without_waiting);
  EXPECT_THAT(found(2), ElementsAre(Found{0, 1}, Found{0, 2}, Found{0, 1}));
}

TEST_F(HostCudaOverlap, WorksForClusters) {
  resize(4);
  add(1, {pairs()}, add_one_in_pairs);
  add(2, {programmatic(), pairs()}, add_one_in_pairs);
  add(3, {programmatic(), pairs()}, add_one_in_pairs);
  EXPECT_THAT(found(1), Each(Found{1, 1}));
  EXPECT_THAT(found(2), Each(Found{1, 2}));
  EXPECT_THAT(found(3), Each(Found{1, 3}));
}

TEST_F(HostCudaOverlap, ReportsWhatGoesWrongWhileOthersWait) {
  EXPECT_EQ(enqueue({}, half_at_its_barrier), cudaSuccess);
  add(1, {programmatic()});
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("17 threads wait for ever"));
  HostCudaOverlap::SetUp();
  add(1, {});
  EXPECT_EQ(enqueue({programmatic()}, half_at_its_barrier), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  HostCudaOverlap::SetUp();
  add(1, {});
  add(2, {programmatic()});
  EXPECT_THAT(found(2), Each(Found{1, 2}));
}

TEST_F(HostCudaOverlap, AnswersTheNextCallWithTheError) {
  EXPECT_EQ(enqueue({}, half_at_its_barrier), cudaSuccess);
  EXPECT_EQ(enqueue({}, half_at_its_barrier), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
}

TEST_F(HostCudaOverlap, NeedsComputeCapability90) {
  host_cuda::set_compute_capability(8, 9);
  EXPECT_EQ(enqueue({programmatic()}, half_at_its_barrier), cudaErrorNotSupported);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("needs compute capability 9.0"));
  EXPECT_EQ(enqueue({programmatic(0)}, add_one, rows_[1], rows_[0]), cudaSuccess);
  EXPECT_THAT(found(1), Each(Found{1, 1}));
}

__global__ void clocks(long long* ticks) {
  ticks[0] = clock64();
  ticks[1] = clock64();
}

TEST_F(HostCudaOverlap, HasAClock) {
  long long* ticks = device_memory<long long>(2);
  ASSERT_EQ(launch(nullptr, {1, 1}, clocks, ticks), cudaSuccess);
  const std::vector<long long> read = from_device(ticks, 2);
  EXPECT_GT(read[0], 0);
  EXPECT_GE(read[1], read[0]);
}

}  // namespace

HOST_CUDA_DYNAMIC_SHARED(int, early_values);

}  // namespace digitron::testing
