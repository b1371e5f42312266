// Streams, captures and graphs: where operations go.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>
#include "tests/host_cuda/handles.h"
#include "tests/host_cuda/kernel.h"
#include "tests/host_cuda/memory.h"

namespace host_cuda {

enum class Work { kKernel, kLibrary, kCopy, kFill };

// One piece of work, with its arguments bound by value: a kernel or something else to run.
struct Operation {
  Work work;
  std::string name;
  std::vector<Range> ranges;  // what it touches, to be checked again whenever it runs
  std::function<void()> run;
  std::optional<Kernel> kernel = {};
};

struct Capture {
  cudaStreamCaptureMode mode;
  cudaStream_t origin;
  std::vector<Operation> operations;
  std::set<cudaStream_t> unjoined;  // other streams with work that the origin has not waited for
  bool invalid = false;
};

// Runs the operation, or records it where the stream is being captured. A kernel waits until
// another call needs it done, for the next launch may overlap with it. Errors: those of a stream
// that cannot take work. What goes wrong inside loses the device, as on a real one.
cudaError_t submit(cudaStream_t stream, Operation operation);
void execute(const std::vector<Operation>& operations);

bool is_stream(cudaStream_t stream);
std::shared_ptr<Capture> capture_of(cudaStream_t stream);

// While a capture forbids calls that are not stream-ordered, says so, and invalidates it.
bool refused_by_capture(const char* call);

// The capture cannot end well any more.
cudaError_t invalidate(Capture& capture, cudaError_t error, std::string problem);

}  // namespace host_cuda

struct CUstream_st {
  unsigned flags = 0;
  std::shared_ptr<host_cuda::Capture> capture;
};

struct CUevent_st {
  unsigned flags = 0;
  bool recorded = false;
  cudaStream_t stream = nullptr;
  std::shared_ptr<host_cuda::Capture> capture;
  std::chrono::steady_clock::time_point time;
};

struct CUgraphNode_st {
  host_cuda::Operation operation;
};

struct CUgraph_st {
  std::vector<CUgraphNode_st> nodes;
};

struct CUgraphExec_st {
  std::vector<host_cuda::Operation> operations;
};
