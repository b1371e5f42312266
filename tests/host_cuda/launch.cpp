// What a launch refuses, and its way onto the stream.
#include <algorithm>
#include <map>

#include <cuda_runtime.h>
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/launch_attributes.h"
#include "tests/host_cuda/stream.h"

namespace host_cuda {
namespace {

std::map<const void*, int>& dynamic_shared_limits() {
  static std::map<const void*, int> limits;
  return limits;
}

size_t dynamic_shared_limit(const void* kernel) {
  const auto found = dynamic_shared_limits().find(kernel);
  const size_t limit = found == dynamic_shared_limits().end() ? kSharedBytes : found->second;
  return std::min(limit, most_shared_bytes());
}

cudaError_t check_shape(const cudaLaunchConfig_t& config, const void* kernel) {
  const dim3 grid = config.gridDim;
  const dim3 block = config.blockDim;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    return refuse(cudaErrorInvalidConfiguration, "launch: an empty grid or block");
  if (grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
    return refuse(cudaErrorInvalidConfiguration, "launch: too large a grid");
  if (block.x > 1024 || block.y > 1024 || block.z > 64 ||
      uint64_t{block.x} * block.y * block.z > 1024)
    return refuse(cudaErrorInvalidConfiguration, "launch: more than 1024 threads in a block");
  if (config.dynamicSmemBytes > dynamic_shared_limit(kernel))
    return refuse(cudaErrorInvalidValue, "launch: more shared memory than the kernel may have");
  return cudaSuccess;
}

}  // namespace

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   std::function<void()> thread, std::vector<const void*> pointers) {
  return launch_call("cudaLaunchKernelEx", [&] {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    if (device().major * 10 + device().minor < 75) return cudaErrorNoKernelImageForDevice;
    LaunchAttributes attributes;
    cudaError_t error = check_shape(config, kernel);
    if (error == cudaSuccess) error = read_attributes(config, attributes);
    if (error != cudaSuccess) return error;
    const LaunchShape shape{config.gridDim, config.blockDim, config.dynamicSmemBytes,
                            attributes.cluster};
    Operation operation{Work::kKernel, "kernel", {}, nullptr};
    for (const void* pointer : pointers)
      if (pointer != nullptr) operation.ranges.push_back({pointer, 0});
    operation.kernel = {shape, std::move(thread), attributes.programmatic, config.stream};
    return submit(config.stream, std::move(operation));
  });
}

}  // namespace host_cuda

using namespace host_cuda;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return runtime_call("cudaFuncSetAttribute", [&] {
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        static_cast<size_t>(value) > most_shared_bytes())
      return refuse(cudaErrorInvalidValue, "cudaFuncSetAttribute: no such attribute or too much");
    dynamic_shared_limits()[kernel] = value;
    return cudaSuccess;
  });
}

// One block on each multiprocessor, as for a kernel that needs much shared memory.
cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, const void* kernel,
                                           const cudaLaunchConfig_t* config) {
  return runtime_call("cudaOccupancyMaxActiveClusters", [&] {
    if (clusters == nullptr || config == nullptr) return cudaErrorInvalidValue;
    *clusters = 0;
    if (kernel == nullptr) return cudaErrorInvalidDeviceFunction;
    LaunchAttributes attributes;
    cudaError_t error = check_shape(*config, kernel);
    if (error == cudaSuccess) error = read_attributes(*config, attributes);
    if (error != cudaSuccess) return error;
    const dim3 cluster = attributes.cluster;
    *clusters = kMultiprocessors / static_cast<int>(cluster.x * cluster.y * cluster.z);
    return cudaSuccess;
  });
}
