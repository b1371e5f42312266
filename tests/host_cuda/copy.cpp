// Copies and fills.
#include <cstring>

#include "tests/host_cuda/device.h"
#include "tests/host_cuda/pageable.h"
#include "tests/host_cuda/stream.h"

using namespace host_cuda;

namespace {

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  cudaMemcpyKind kind;
};

bool to_device(cudaMemcpyKind kind) {
  return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
}

bool from_device(cudaMemcpyKind kind) {
  return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
}

// Device memory where the kind says so, and only there.
bool fits(Range range, bool device_side) {
  return device_side ? on_device(range) : !touches_device(range);
}

cudaMemcpyKind inferred(const Copy& copy) {
  const bool to = on_device({copy.to, copy.bytes});
  const bool from = on_device({copy.from, copy.bytes});
  if (from) return to ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost;
  return to ? cudaMemcpyHostToDevice : cudaMemcpyHostToHost;
}

// A host range that is not pinned cannot be looked at later, when a graph runs.
bool is_pageable(const Copy& copy) {
  const bool source = !from_device(copy.kind) && !is_pinned({copy.from, copy.bytes});
  const bool target = !to_device(copy.kind) && !is_pinned({copy.to, copy.bytes});
  return source || target;
}

// asynchronous: the caller goes on before the copy is through.
cudaError_t submit_copy(const char* call, Copy copy, cudaStream_t stream, bool asynchronous) {
  if (copy.bytes == 0) return cudaSuccess;
  if (copy.kind == cudaMemcpyDefault) copy.kind = inferred(copy);
  if (static_cast<unsigned>(copy.kind) > cudaMemcpyDefault)
    return refuse(cudaErrorInvalidMemcpyDirection, std::string(call) + ": no such direction");
  if (!fits({copy.to, copy.bytes}, to_device(copy.kind)) ||
      !fits({copy.from, copy.bytes}, from_device(copy.kind)))
    return refuse(cudaErrorInvalidValue,
                  std::string(call) + ": the direction does not fit the pointers or the size");
  if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
  const auto capture = capture_of(stream);
  if (capture && is_pageable(copy))
    return invalidate(*capture, cudaErrorStreamCaptureUnsupported,
                      std::string(call) + ": of pageable memory during capture");
  Operation operation{
      Work::kCopy, call, {}, [copy] { std::memmove(copy.to, copy.from, copy.bytes); }};
  for (const Range range : {Range{copy.to, copy.bytes}, Range{copy.from, copy.bytes}})
    if (device_can_access(range)) operation.ranges.push_back(range);
  if (asynchronous && !from_device(copy.kind) && !is_pinned({copy.from, copy.bytes}))
    note_pageable_read(stream, {copy.from, copy.bytes});
  return submit(stream, std::move(operation));
}

cudaError_t submit_fill(const char* call, void* to, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!device_can_access({to, bytes}))
    return refuse(cudaErrorInvalidValue, std::string(call) + ": not device memory of this size");
  return submit(stream, {Work::kFill, call, {{to, bytes}}, [=] { std::memset(to, value, bytes); }});
}

}  // namespace

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return runtime_call("cudaMemcpy", [&] {
    ++device().counters.synchronizations;
    if (refused_by_capture("cudaMemcpy")) return cudaErrorStreamCaptureUnsupported;
    return submit_copy("cudaMemcpy", {to, from, bytes, kind}, nullptr, false);
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return runtime_call("cudaMemcpyAsync", [&] {
    return submit_copy("cudaMemcpyAsync", {to, from, bytes, kind}, stream, true);
  });
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return runtime_call("cudaMemset", [&] {
    if (refused_by_capture("cudaMemset")) return cudaErrorStreamCaptureUnsupported;
    return submit_fill("cudaMemset", to, value, bytes, nullptr);
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return runtime_call("cudaMemsetAsync",
                      [&] { return submit_fill("cudaMemsetAsync", to, value, bytes, stream); });
}
