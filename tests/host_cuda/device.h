// The device's settings, errors and counters, and how every call begins and ends.
#pragma once

#include <mutex>
#include <string>
#include <utility>

#include <cuda_runtime_api.h>
#include <host_cuda.h>

namespace host_cuda {

struct Device {
  int count = 1;
  int current = 0;
  int driver_version = CUDART_VERSION;
  int major = 9;
  int minor = 0;
  Order order = Order::kAscending;
  uint64_t order_seed = 1;
  Counters counters;
  cudaError_t last_error = cudaSuccess;
  bool profiler_runs = false;
  cudaError_t lost = cudaSuccess;  // the error that every call answers from now on
  std::string problem;
};

Device& device();
std::recursive_mutex& mutex();

// The status that fail_call asked for, or 0.
int injected_failure(const char* call);

// cudaErrorNoDevice, cudaErrorInsufficientDriver, the error that lost the device, or success.
cudaError_t device_state();

// Why the call is refused, in words, and the error.
template <typename Error>
Error refuse(Error error, std::string problem) {
  device().problem = std::move(problem);
  return error;
}

// Nothing works from here on, as after an illegal address in a kernel.
void lose_device(cudaError_t error, std::string problem);

// For cudaGetLastError.
cudaError_t record(cudaError_t error);

// The most dynamic shared memory that a block may ask for, by compute capability.
size_t most_shared_bytes();

constexpr int kMultiprocessors = 8;

// Runs the kernels that still wait for one that overlaps with them (stream.h).
void finish_launches();
void forget_launches();

// The body of a launch, the only call that kernels wait for.
template <typename Body>
cudaError_t launch_call(const char* name, Body body) {
  const std::lock_guard lock(mutex());
  cudaError_t error = static_cast<cudaError_t>(injected_failure(name));
  if (error == cudaSuccess) error = device_state();
  if (error == cudaSuccess) error = body();
  return record(error);
}

// The body of any other runtime call that needs a working device.
template <typename Body>
cudaError_t runtime_call(const char* name, Body body) {
  const std::lock_guard lock(mutex());
  finish_launches();
  return launch_call(name, std::move(body));
}

// The same for a call of cuBLAS or cuDNN. lost: its status when the device does not work.
template <typename Status, typename Body>
Status library_call(const char* name, Status lost, Body body) {
  const std::lock_guard lock(mutex());
  finish_launches();
  const Status status = static_cast<Status>(injected_failure(name));
  if (static_cast<int>(status) != 0) return status;
  if (device_state() != cudaSuccess) return lost;
  return body();
}

}  // namespace host_cuda
