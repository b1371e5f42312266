#include "tests/host_cuda/device.h"

#include <map>
#include <vector>

#include "tests/host_cuda/handles.h"
#include "tests/host_cuda/memory.h"
#include "tests/host_cuda/pageable.h"

namespace host_cuda {
namespace {

struct Failure {
  int status;
  int successes;
};

std::map<std::string, Failure>& failures() {
  static std::map<std::string, Failure> all;
  return all;
}

std::vector<HandleSet*>& handle_sets() {
  static std::vector<HandleSet*> all;
  return all;
}

// Errors after which a real process can only end: the context is gone.
bool loses_device(int error) {
  switch (error) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
      return true;
    default:
      return false;
  }
}

}  // namespace

HandleSet::HandleSet() {
  handle_sets().push_back(this);
}

Device& device() {
  static Device state;
  return state;
}

std::recursive_mutex& mutex() {
  static std::recursive_mutex lock;
  return lock;
}

int injected_failure(const char* call) {
  const bool runtime = std::string(call).rfind("cuda", 0) == 0;
  auto found = failures().find(call);
  if (found == failures().end() && runtime) found = failures().find(kAnyRuntimeCall);
  if (found == failures().end() || found->second.successes-- > 0) return 0;
  const int status = found->second.status;
  failures().erase(found);
  if (runtime && loses_device(status)) lose_device(static_cast<cudaError_t>(status), "as asked");
  return status;
}

cudaError_t device_state() {
  const Device& state = device();
  if (state.driver_version / 1000 < CUDART_VERSION / 1000) return cudaErrorInsufficientDriver;
  if (state.count == 0) return cudaErrorNoDevice;
  return state.lost;
}

size_t most_shared_bytes() {
  constexpr size_t kKiB = 1024;
  const int capability = device().major * 10 + device().minor;
  if (capability < 80) return 64 * kKiB;
  if (capability == 80 || capability == 87) return 163 * kKiB;
  if (capability < 90 || capability >= 120) return 99 * kKiB;
  return kDynamicSharedBytes;
}

void lose_device(cudaError_t error, std::string problem) {
  if (device().lost != cudaSuccess) return;
  device().lost = error;
  device().problem = std::move(problem);
}

cudaError_t record(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) device().last_error = error;
  return error;
}

void reset() {
  const std::lock_guard lock(mutex());
  for (HandleSet* set : handle_sets()) set->clear();
  forget_launches();
  free_all_memory();
  forget_pageable_reads();
  failures().clear();
  device() = Device{};
}

void set_device_count(int count) {
  device().count = count;
}

void set_driver_version(int version) {
  device().driver_version = version;
}

void set_compute_capability(int major, int minor) {
  device().major = major;
  device().minor = minor;
}

void fail_call(const std::string& name, int status, int successes) {
  failures()[name] = {status, successes};
}

void set_order(Order order, uint64_t seed) {
  const std::lock_guard lock(mutex());
  finish_launches();
  device().order = order;
  device().order_seed = seed;
}

Counters counters() {
  const std::lock_guard lock(mutex());
  finish_launches();
  return device().counters;
}

void reset_counters() {
  const std::lock_guard lock(mutex());
  finish_launches();
  device().counters = {};
}

bool profiler_runs() {
  const std::lock_guard lock(mutex());
  return device().profiler_runs;
}

size_t live_objects() {
  size_t count = live_allocations();
  for (const HandleSet* set : handle_sets()) count += set->size();
  return count;
}

std::string last_problem() {
  const std::lock_guard lock(mutex());
  finish_launches();
  return device().problem;
}

}  // namespace host_cuda
