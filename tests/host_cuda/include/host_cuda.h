// What a test can do with the stand-in for CUDA that no real device lets it do: choose the device,
// make calls fail, count, and ask what went wrong.
//
// The stand-in behaves as one device whose streams are always up to date: work is done when it is
// submitted, or when its graph is launched. Only kernels wait for the next call, which may launch
// one that overlaps with them. Device memory is filled with NaN when it is allocated and is not
// readable by the host; what the real libraries refuse is refused with their errors. An error
// inside a kernel, as on a device, is reported by the calls that follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace host_cuda {

// Frees everything, forgets errors, settings and counters. Every handle and pointer is then
// invalid.
void reset();

// Zero devices: every call answers cudaErrorNoDevice.
void set_device_count(int count);
// As CUDART_VERSION; 0 is no driver, older than the runtime's major version is
// cudaErrorInsufficientDriver.
void set_driver_version(int version);
// Below 7.5 every launch answers cudaErrorNoKernelImageForDevice. Also decides how much shared
// memory a block may have.
void set_compute_capability(int major, int minor);
// What is left to allocate from now on.
void set_free_bytes(size_t bytes);

// The call of this name ("cudnnConvolutionForward") answers `status` once, after `successes` calls
// that work. A cudaError_t that loses a real device's context, such as cudaErrorLaunchFailure,
// stays. kAnyRuntimeCall counts all calls of CUDA's runtime together.
constexpr const char* kAnyRuntimeCall = "cuda*";
void fail_call(const std::string& name, int status, int successes = 0);

// In which order blocks, and the threads of a block between barriers, run.
enum class Order { kAscending, kDescending, kScrambled };
void set_order(Order order, uint64_t seed = 1);

struct Counters {
  int64_t allocations = 0;       // cudaMalloc and cudaHostAlloc
  int64_t kernels = 0;           // kernels run, those of graphs included
  int64_t library_calls = 0;     // operations of cuBLAS and cuDNN run, likewise
  int64_t copies = 0;            // cudaMemcpy, also Async, run
  int64_t fills = 0;             // cudaMemset, also Async, run
  int64_t synchronizations = 0;  // waits for a stream, event or device, and cudaMemcpy
  int64_t graph_launches = 0;
};
Counters counters();
void reset_counters();

// Every NVTX range that was begun, in that order, after the pushed ranges around it, with its
// category and payload: "digitron/step [step] 13", "digitron/step/gather [gather]"; how many are
// open; and a fresh start for the former.
std::vector<std::string> ranges();
size_t open_ranges();
void reset_ranges();

// Whether cudaProfilerStart was called last.
bool profiler_runs();

// What is allocated or created and not yet freed or destroyed: memory, streams, events, graphs,
// library handles and descriptors.
size_t live_objects();
size_t live_device_bytes();

// In words, why the last refused call was refused or the last kernel failed.
std::string last_problem();

constexpr size_t kSharedBytes = 48 * 1024;          // of a block
constexpr size_t kDynamicSharedBytes = 227 * 1024;  // of a kernel that asked for more, at the most
constexpr size_t kMemoryBytes = size_t{16} << 30;   // of the device

// The definition behind a kernel's `extern __shared__ type name[]`, which the test build supplies,
// in the namespace of the declaration. That cannot be an unnamed one.
class DynamicShared {
 public:
  explicit DynamicShared(void* (*address)());
};

}  // namespace host_cuda

#define HOST_CUDA_DYNAMIC_SHARED(type, name)                                            \
  alignas(128) thread_local type name[::host_cuda::kDynamicSharedBytes / sizeof(type)]; \
  static const ::host_cuda::DynamicShared name##_shared {                               \
    [] { return static_cast<void*>(name); }                                             \
  }
