#include "tests/host_cuda/stream.h"

#include <span>
#include <utility>

#include "tests/host_cuda/device.h"
#include "tests/host_cuda/pageable.h"

namespace host_cuda {
namespace {

void count(Work work) {
  Counters& counters = device().counters;
  switch (work) {
    case Work::kKernel:
      ++counters.kernels;
      break;
    case Work::kLibrary:
      ++counters.library_calls;
      break;
    case Work::kCopy:
      ++counters.copies;
      break;
    case Work::kFill:
      ++counters.fills;
      break;
  }
}

// A capture that the null stream would wait for, or null.
std::shared_ptr<Capture> blocking_capture() {
  for (const auto& [handle, stream] : handles<CUstream_st>().all())
    if (stream->capture && (stream->flags & cudaStreamNonBlocking) == 0) return stream->capture;
  return nullptr;
}

// What synchronises a whole device or stream is refused in every mode of capture.
cudaError_t refuse_wait(const std::shared_ptr<Capture>& capture, const char* call) {
  if (!capture) return cudaSuccess;
  return invalidate(*capture, cudaErrorStreamCaptureUnsupported,
                    std::string(call) + ": during capture");
}

// The newest kernels of a stream, which have not run yet.
std::vector<Operation>& launched() {
  static std::vector<Operation> kernels;
  return kernels;
}

bool may_overlap(const Operation& first, const Operation& second) {
  return first.kernel && second.kernel && second.kernel->programmatic &&
         first.kernel->stream == second.kernel->stream;
}

// Something alone, or kernels that may overlap.
void execute_together(std::span<const Operation> operations) {
  if (device().lost != cudaSuccess) return;
  for (const Operation& operation : operations)
    for (const Range& range : operation.ranges)
      if (!device_can_access(range))
        return lose_device(cudaErrorIllegalAddress,
                           operation.name + ": memory that is no longer allocated");
  const Operation& first = operations.front();
  const DeviceAccess access;
  if (first.kernel) {
    std::vector<const Kernel*> kernels;
    for (const Operation& operation : operations) kernels.push_back(&*operation.kernel);
    const std::string problem = run_kernels(kernels);
    if (!problem.empty()) lose_device(cudaErrorLaunchFailure, "kernel: " + problem);
  } else {
    first.run();
  }
  for (const Operation& operation : operations) count(operation.work);
  const std::string damage = access.check_guards();
  if (!damage.empty()) lose_device(cudaErrorIllegalAddress, first.name + ": " + damage);
}

cudaError_t create_stream(cudaStream_t* stream, unsigned flags) {
  if (stream == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
  *stream = handles<CUstream_st>().create({flags, nullptr});
  return cudaSuccess;
}

}  // namespace

bool is_stream(cudaStream_t stream) {
  return stream == nullptr || handles<CUstream_st>().owns(stream);
}

std::shared_ptr<Capture> capture_of(cudaStream_t stream) {
  return stream == nullptr ? nullptr : stream->capture;
}

cudaError_t invalidate(Capture& capture, cudaError_t error, std::string problem) {
  capture.invalid = true;
  return refuse(error, std::move(problem));
}

bool refused_by_capture(const char* call) {
  bool refused = false;
  for (const auto& [handle, stream] : handles<CUstream_st>().all()) {
    if (!stream->capture || stream->capture->mode == cudaStreamCaptureModeRelaxed) continue;
    invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported,
               std::string(call) + ": during capture");
    refused = true;
  }
  return refused;
}

void execute(const std::vector<Operation>& operations) {
  auto begin = operations.begin();
  while (begin != operations.end()) {
    auto end = begin + 1;
    while (end != operations.end() && may_overlap(end[-1], *end)) ++end;
    execute_together({&*begin, static_cast<size_t>(end - begin)});
    begin = end;
  }
}

void finish_launches() {
  execute(std::exchange(launched(), {}));
}

void forget_launches() {
  launched().clear();
}

cudaError_t submit(cudaStream_t stream, Operation operation) {
  if (!is_stream(stream))
    return refuse(cudaErrorInvalidResourceHandle, operation.name + ": not a stream");
  const auto capture = capture_of(stream);
  if (capture && capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (capture) {
    capture->operations.push_back(std::move(operation));
    if (stream != capture->origin) capture->unjoined.insert(stream);
    return cudaSuccess;
  }
  if (stream == nullptr)
    if (const auto waited_for = blocking_capture())
      return invalidate(*waited_for, cudaErrorStreamCaptureImplicit,
                        operation.name + ": on the null stream during capture");
  if (launched().empty() || !may_overlap(launched().back(), operation)) finish_launches();
  if (device().lost != cudaSuccess) return device().lost;
  launched().push_back(std::move(operation));
  if (!launched().back().kernel) finish_launches();
  return cudaSuccess;
}

}  // namespace host_cuda

using namespace host_cuda;

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return runtime_call("cudaStreamCreate", [&] { return create_stream(stream, cudaStreamDefault); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return runtime_call("cudaStreamCreateWithFlags", [&] { return create_stream(stream, flags); });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return runtime_call("cudaStreamDestroy", [&] {
    return handles<CUstream_st>().destroy(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return runtime_call("cudaStreamSynchronize", [&] {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    ++device().counters.synchronizations;
    const cudaError_t refused = refuse_wait(
        stream == nullptr ? blocking_capture() : capture_of(stream), "cudaStreamSynchronize");
    return refused != cudaSuccess ? refused : check_pageable_reads(stream);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return runtime_call("cudaStreamQuery", [&] {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    return refuse_wait(capture_of(stream), "cudaStreamQuery");
  });
}

cudaError_t cudaDeviceSynchronize() {
  return runtime_call("cudaDeviceSynchronize", [&] {
    ++device().counters.synchronizations;
    for (const auto& [handle, stream] : handles<CUstream_st>().all())
      if (stream->capture) return refuse_wait(stream->capture, "cudaDeviceSynchronize");
    return check_pageable_reads(nullptr, true);
  });
}

cudaError_t cudaDeviceReset() {
  reset();
  return cudaSuccess;
}
