#include <gmock/gmock.h>

#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

__global__ void add(int* out, int value) {
  out[threadIdx.x] += value;
}

class HostCudaGraph : public HostCuda {
 protected:
  void SetUp() override {
    HostCuda::SetUp();
    stream_ = new_stream();
    out_ = on_device<int>({10, 20});
  }

  cudaError_t enqueue(int value) { return launch(stream_, {1, 2}, add, out_, value); }

  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_, mode), cudaSuccess);
  }

  // The capture was spoilt: nothing more can be recorded, and it ends without a graph.
  void expect_invalidated() {
    EXPECT_EQ(enqueue(1), cudaErrorStreamCaptureInvalidated);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_THAT(from_device(out_, 2), ElementsAre(10, 20));
  }

  cudaStream_t stream_ = nullptr;
  int* out_ = nullptr;
};

TEST_F(HostCudaGraph, RecordsWithoutRunningAndReplays) {
  int value = 1;
  begin();
  EXPECT_EQ(enqueue(value), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(out_ + 1, 0, 4, stream_), cudaSuccess);
  value = 100;  // recorded by value
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  EXPECT_THAT(from_device(out_, 2), ElementsAre(10, 20));
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_THAT(from_device(out_, 2), ElementsAre(12, 0));
  EXPECT_EQ(host_cuda::counters().kernels, 2);
  EXPECT_EQ(host_cuda::counters().fills, 2);
  EXPECT_EQ(host_cuda::counters().graph_launches, 2);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaErrorInvalidValue);
}

TEST_F(HostCudaGraph, CountsItsNodes) {
  begin();
  EXPECT_EQ(enqueue(1), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(out_, 0, 4, stream_), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  size_t count = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
  ASSERT_EQ(count, 2u);
  cudaGraphNode_t nodes[2];
  ASSERT_EQ(cudaGraphGetNodes(graph, nodes, &count), cudaSuccess);
  cudaGraphNodeType types[2];
  for (int i = 0; i < 2; ++i) EXPECT_EQ(cudaGraphNodeGetType(nodes[i], &types[i]), cudaSuccess);
  EXPECT_THAT(types, ElementsAre(cudaGraphNodeTypeKernel, cudaGraphNodeTypeMemset));
}

TEST_F(HostCudaGraph, SaysWhetherAStreamIsCaptured) {
  cudaStreamCaptureStatus status;
  EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  begin();
  EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
  expect_invalidated();
}

TEST_F(HostCudaGraph, RefusesAllocation) {
  void* memory = nullptr;
  begin();
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin();
  EXPECT_EQ(cudaFree(out_), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(enqueue(1), cudaSuccess);
}

TEST_F(HostCudaGraph, RefusesToWait) {
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin(cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin();
  EXPECT_EQ(cudaEventRecord(event, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorCapturedEvent);
  expect_invalidated();
}

TEST_F(HostCudaGraph, RefusesCopiesOfPageableMemory) {
  int host[2] = {1, 2};
  begin();
  EXPECT_EQ(cudaMemcpyAsync(out_, host, 8, cudaMemcpyHostToDevice, stream_),
            cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
  begin();
  EXPECT_EQ(cudaMemcpy(out_, host, 8, cudaMemcpyHostToDevice), cudaErrorStreamCaptureUnsupported);
  expect_invalidated();
}

TEST_F(HostCudaGraph, CopiesPinnedMemoryAsItIsThen) {
  int* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 8), cudaSuccess);
  begin();
  EXPECT_EQ(cudaMemcpyAsync(out_, pinned, 8, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  pinned[0] = 3;
  pinned[1] = 4;
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_THAT(from_device(out_, 2), ElementsAre(3, 4));
}

TEST_F(HostCudaGraph, FailsWhenItsMemoryIsGone) {
  begin();
  EXPECT_EQ(enqueue(1), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph), cudaSuccess);
  ASSERT_EQ(cudaFree(out_), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("no longer allocated"));
}

TEST_F(HostCudaGraph, KeepsToOneCaptureAtATime) {
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
  begin();
  EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
}

TEST_F(HostCudaGraph, IsSpoiltByTheNullStream) {
  cudaStream_t blocking = nullptr;
  ASSERT_EQ(cudaStreamCreate(&blocking), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(launch(nullptr, {1, 1}, add, out_, 1), cudaErrorStreamCaptureImplicit);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(blocking, &graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(HostCudaGraph, TakesInAnotherStreamAndWantsItBack) {
  const cudaStream_t other = new_stream();
  cudaEvent_t fork = nullptr;
  cudaEvent_t join = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming), cudaSuccess);
  ASSERT_EQ(cudaEventCreateWithFlags(&join, cudaEventDisableTiming), cudaSuccess);
  for (const bool joined : {true, false}) {
    begin();
    EXPECT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(other, fork, 0), cudaSuccess);
    EXPECT_EQ(launch(other, {1, 2}, add, out_, 5), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(join, other), cudaSuccess);
    if (joined) {
      EXPECT_EQ(cudaStreamWaitEvent(stream_, join, 0), cudaSuccess);
    }
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph),
              joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
  }
  EXPECT_THAT(from_device(out_, 2), ElementsAre(10, 20));
}

using HostCudaStream = HostCuda;

TEST_F(HostCudaStream, RefusesForeignHandles) {
  cudaStream_t stream = new_stream();
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(launch(stream, {1, 1}, add, device_memory<int>(1), 1), cudaErrorInvalidResourceHandle);
}

TEST_F(HostCudaStream, MeasuresTimeBetweenEvents) {
  cudaEvent_t events[3] = {};
  for (cudaEvent_t& event : events) ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  cudaEvent_t untimed = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming), cudaSuccess);
  for (const cudaEvent_t event : {events[0], events[1], untimed})
    EXPECT_EQ(cudaEventRecord(event), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, events[0], events[1]), cudaSuccess);
  EXPECT_TRUE(milliseconds >= 0);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, events[0], events[2]),
            cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, events[0], untimed),
            cudaErrorInvalidResourceHandle);
}

TEST_F(HostCudaStream, CountsWaits) {
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_EQ(host_cuda::counters().synchronizations, 2);
  host_cuda::reset_counters();
  EXPECT_EQ(host_cuda::counters().synchronizations, 0);
}

}  // namespace
}  // namespace digitron::testing
