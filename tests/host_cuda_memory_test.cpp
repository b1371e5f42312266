#include <gmock/gmock.h>
#include <sys/mman.h>

#include <cmath>

#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

using HostCudaMemory = HostCuda;

TEST_F(HostCudaMemory, IsNanUntilWritten) {
  EXPECT_THAT(from_device(device_memory<float>(100), 100), Each(IsNan()));
  float* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, sizeof(float)), cudaSuccess);
  EXPECT_TRUE(std::isnan(*pinned));
}

TEST_F(HostCudaMemory, KeepsWhatWasCopied) {
  const int* memory = on_device<int>({1, 2, 3});
  int* copy = device_memory<int>(3);
  ASSERT_EQ(cudaMemcpy(copy, memory, 12, cudaMemcpyDeviceToDevice), cudaSuccess);
  EXPECT_THAT(from_device(copy, 3), ElementsAre(1, 2, 3));
  ASSERT_EQ(cudaMemset(copy + 1, 0, 4), cudaSuccess);
  EXPECT_THAT(from_device(copy, 3), ElementsAre(1, 0, 3));
}

TEST_F(HostCudaMemory, RefusesPointersOfTheWrongSide) {
  std::vector<float> host(4);
  float* device = device_memory<float>(4);
  EXPECT_EQ(cudaMemcpy(host.data(), device, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host.data(), 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host.data(), 16, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host.data(), 0, 16), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(device, host.data(), 16, cudaMemcpyDefault), cudaSuccess);
}

TEST_F(HostCudaMemory, RefusesRangesThatLeaveTheAllocation) {
  std::vector<float> host(5);
  float* device = device_memory<float>(4);
  EXPECT_EQ(cudaMemcpy(host.data(), device, 20, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), device + 2, 12, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device, 0, 17), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host.data(), device + 2, 8, cudaMemcpyDeviceToHost), cudaSuccess);
}

TEST_F(HostCudaMemory, RefusesWhatWasFreed) {
  float* device = device_memory<float>(4);
  EXPECT_EQ(cudaFree(device + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(device), cudaSuccess);
  EXPECT_EQ(cudaFree(device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(device, 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(host_cuda::live_objects(), 0u);
}

TEST_F(HostCudaMemory, CannotBeReadByTheHost) {
  const volatile float* device = device_memory<float>(4);
  EXPECT_DEATH(static_cast<void>(device[0]), "");
}

TEST_F(HostCudaMemory, EndsWithTheDevicesMemory) {
  host_cuda::set_free_bytes(1000);
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total_bytes), cudaSuccess);
  EXPECT_EQ(free_bytes, 1000u);
  EXPECT_EQ(total_bytes, host_cuda::kMemoryBytes);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 1001), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&memory, 1000), cudaSuccess);
  EXPECT_EQ(host_cuda::live_device_bytes(), 1000u);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(host_cuda::live_device_bytes(), 0u);
}

TEST_F(HostCudaMemory, SaysWhatAPointerIs) {
  cudaPointerAttributes attributes;
  float* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(&pinned, 4, cudaHostAllocDefault), cudaSuccess);
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, pinned), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, device_memory<float>(1)), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  ASSERT_EQ(cudaPointerGetAttributes(&attributes, &attributes), cudaSuccess);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

using HostCudaDevice = HostCuda;

TEST_F(HostCudaDevice, CanBeAbsent) {
  int count = -1;
  host_cuda::set_device_count(0);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorNoDevice);
}

TEST_F(HostCudaDevice, CanHaveAnOldDriver) {
  int value = -1;
  host_cuda::set_driver_version(12080);
  EXPECT_EQ(cudaDriverGetVersion(&value), cudaSuccess);
  EXPECT_EQ(value, 12080);
  EXPECT_EQ(cudaGetDeviceCount(&value), cudaErrorInsufficientDriver);
}

TEST_F(HostCudaDevice, HasAsManyAsAskedFor) {
  cudaDeviceProp properties;
  host_cuda::set_device_count(2);
  host_cuda::set_compute_capability(8, 6);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 2), cudaErrorInvalidDevice);
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
  EXPECT_EQ(properties.major * 10 + properties.minor, 86);
}

TEST_F(HostCudaDevice, KeepsTheLastErrorUntilItIsAsked) {
  EXPECT_EQ(cudaSetDevice(7), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(HostCudaDevice, FailsACallWhenAsked) {
  void* memory = nullptr;
  host_cuda::fail_call("cudaMalloc", cudaErrorMemoryAllocation, 1);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
}

TEST_F(HostCudaDevice, StaysLost) {
  float* device = device_memory<float>(1);
  host_cuda::fail_call("cudaDeviceSynchronize", cudaErrorLaunchFailure);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaMemset(device, 0, 4), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaFree(device), cudaErrorLaunchFailure);
  EXPECT_STREQ(cudaGetErrorName(cudaErrorLaunchFailure), "cudaErrorLaunchFailure");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorLaunchFailure), "unspecified launch failure");
}

// A device may read pageable memory until the stream is waited for, and no longer.
TEST_F(HostCudaMemory, PageableMemoryMustStayUntilTheWait) {
  const cudaStream_t stream = new_stream();
  float* device = device_memory<float>(4);
  std::vector<float> host{1, 2, 3, 4};
  const auto upload = [&] {
    return cudaMemcpyAsync(device, host.data(), 16, cudaMemcpyHostToDevice, stream);
  };
  ASSERT_EQ(upload(), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  host[2] = 5;  // too late to be read
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  ASSERT_EQ(upload(), cudaSuccess);
  host[2] = 6;
  EXPECT_EQ(cudaStreamSynchronize(new_stream()), cudaSuccess) << "it is not this stream's";
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_THAT(host_cuda::last_problem(), HasSubstr("16 bytes of pageable memory went or changed"));
}

TEST_F(HostCudaMemory, PageableMemoryThatIsUnmappedBeforeTheWaitIsNoticed) {
  const cudaStream_t stream = new_stream();
  const size_t bytes = size_t{1} << 16;
  char* device = device_memory<char>(bytes);
  void* mapping = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  ASSERT_EQ(cudaMemcpyAsync(device, mapping, bytes, cudaMemcpyHostToDevice, stream), cudaSuccess);
  munmap(mapping, bytes);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}

}  // namespace
}  // namespace digitron::testing
