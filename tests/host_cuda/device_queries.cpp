// Versions, devices, their properties, and errors in words.
#include <cstdio>
#include <cstring>

#include <cuda_profiler_api.h>
#include <cuda_runtime.h>
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/memory.h"
#include "tests/host_cuda/stream.h"

using namespace host_cuda;

namespace {

struct NamedError {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr NamedError kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
     "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable",
     "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorInvalidClusterSize, "cudaErrorInvalidClusterSize", "invalid cluster size"},
};

const NamedError* find_error(cudaError_t error) {
  for (const NamedError& named : kErrors)
    if (named.error == error) return &named;
  return nullptr;
}

bool valid_device(int index) {
  return index >= 0 && index < device().count;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  const NamedError* named = find_error(error);
  return named == nullptr ? "unrecognized error code" : named->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const NamedError* named = find_error(error);
  return named == nullptr ? "unrecognized error code" : named->text;
}

cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(mutex());
  finish_launches();
  return device().lost != cudaSuccess ? device().lost : device().last_error;
}

cudaError_t cudaGetLastError() {
  const std::lock_guard lock(mutex());
  const cudaError_t error = cudaPeekAtLastError();
  device().last_error = cudaSuccess;
  return error;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = device().driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  return runtime_call("cudaGetDeviceCount", [&] {
    *count = device().count;
    return cudaSuccess;
  });
}

cudaError_t cudaProfilerStart() {
  return runtime_call("cudaProfilerStart", [] {
    device().profiler_runs = true;
    return cudaSuccess;
  });
}

cudaError_t cudaProfilerStop() {
  return runtime_call("cudaProfilerStop", [] {
    device().profiler_runs = false;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int index) {
  return runtime_call("cudaSetDevice", [&] {
    if (!valid_device(index)) return cudaErrorInvalidDevice;
    device().current = index;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* index) {
  return runtime_call("cudaGetDevice", [&] {
    *index = device().current;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  return runtime_call("cudaGetDeviceProperties", [&] {
    if (!valid_device(index)) return cudaErrorInvalidDevice;
    cudaDeviceProp& p = *properties = {};
    std::snprintf(p.name, sizeof p.name, "stand-in for CUDA on the host");
    for (size_t i = 0; i < sizeof p.uuid.bytes; ++i) p.uuid.bytes[i] = static_cast<char>(17 * i);
    p.major = device().major;
    p.minor = device().minor;
    p.totalGlobalMem = kMemoryBytes;
    p.sharedMemPerBlock = kSharedBytes;
    p.sharedMemPerBlockOptin = most_shared_bytes();
    p.sharedMemPerMultiprocessor = most_shared_bytes() + (p.major < 8 ? 0 : 1024);
    p.regsPerBlock = 65536;
    p.warpSize = warpSize;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsPerMultiProcessor = 2048;
    for (int& extent : p.maxThreadsDim) extent = 1024;
    p.maxThreadsDim[2] = 64;
    for (int& extent : p.maxGridSize) extent = 65535;
    p.maxGridSize[0] = 0x7fffffff;
    p.multiProcessorCount = kMultiprocessors;
    p.concurrentKernels = 1;
    p.memoryBusWidth = 64;
    p.l2CacheSize = 1 << 20;
    p.cooperativeLaunch = 1;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  cudaDeviceProp p;
  const cudaError_t error = cudaGetDeviceProperties(&p, index);
  if (error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = p.maxThreadsPerBlock;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(p.sharedMemPerBlock);
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(p.sharedMemPerBlockOptin);
      return cudaSuccess;
    case cudaDevAttrWarpSize:
      *value = p.warpSize;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = p.multiProcessorCount;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = p.major;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = p.minor;
      return cudaSuccess;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = p.memoryBusWidth;
      return cudaSuccess;
    case cudaDevAttrL2CacheSize:
      *value = p.l2CacheSize;
      return cudaSuccess;
    case cudaDevAttrCooperativeLaunch:
      *value = p.cooperativeLaunch;
      return cudaSuccess;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
      *value = 1000000;
      return cudaSuccess;
  }
  return record(cudaErrorInvalidValue);
}
