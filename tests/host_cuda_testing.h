// What the stand-in's own tests share.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include <cuda_runtime.h>
#include <host_cuda.h>

namespace digitron::testing {

// Each test starts and ends with a fresh device.
class HostCuda : public ::testing::Test {
 protected:
  void SetUp() override { host_cuda::reset(); }
  void TearDown() override { host_cuda::reset(); }
};

// Device memory that reset() frees.
template <typename T>
T* device_memory(size_t count) {
  T* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, count * sizeof(T)), cudaSuccess);
  return memory;
}

template <typename T>
T* on_device(const std::vector<T>& values) {
  T* memory = device_memory<T>(values.size());
  EXPECT_EQ(cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
            cudaSuccess);
  return memory;
}

template <typename T>
std::vector<T> from_device(const T* memory, size_t count) {
  std::vector<T> values(count);
  EXPECT_EQ(cudaMemcpy(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost),
            cudaSuccess);
  return values;
}

inline cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  return stream;
}

struct LaunchExtent {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
};

template <typename... Parameters, typename... Arguments>
cudaError_t launch(cudaStream_t stream, const LaunchExtent& extent, void (*kernel)(Parameters...),
                   Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = extent.grid;
  config.blockDim = extent.block;
  config.dynamicSmemBytes = extent.shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

}  // namespace digitron::testing
