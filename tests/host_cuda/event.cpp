// Events: marks in a stream, the host's way to wait, and how one stream's capture takes in another.
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/pageable.h"
#include "tests/host_cuda/stream.h"

using namespace host_cuda;

namespace {

bool is_event(cudaEvent_t event) {
  return handles<CUevent_st>().owns(event);
}

cudaError_t create_event(cudaEvent_t* event, unsigned flags) {
  if (event == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming))
    return cudaErrorInvalidValue;
  CUevent_st fresh;
  fresh.flags = flags;
  *event = handles<CUevent_st>().create(fresh);
  return cudaSuccess;
}

// Joins a stream to the capture in which the event was recorded, or one captured stream to another.
cudaError_t wait_in_capture(cudaStream_t stream, const CUevent_st& event) {
  const auto capture = capture_of(stream);
  if (capture && capture != event.capture)
    return invalidate(*capture, cudaErrorStreamCaptureIsolation,
                      "cudaStreamWaitEvent: the event was recorded outside this capture");
  if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (stream == nullptr)
    return invalidate(*event.capture, cudaErrorStreamCaptureImplicit,
                      "cudaStreamWaitEvent: on the null stream during capture");
  if (!capture) stream->capture = event.capture;
  if (stream != event.capture->origin) event.capture->unjoined.insert(stream);
  event.capture->unjoined.erase(event.stream);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return runtime_call("cudaEventCreateWithFlags", [&] { return create_event(event, flags); });
}

cudaError_t cudaEventCreate(cudaEvent_t* event, unsigned flags) {
  return runtime_call("cudaEventCreate", [&] { return create_event(event, flags); });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreate(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return runtime_call("cudaEventDestroy", [&] {
    return handles<CUevent_st>().destroy(event) ? cudaSuccess : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return runtime_call("cudaEventRecord", [&] {
    if (!is_event(event) || !is_stream(stream)) return cudaErrorInvalidResourceHandle;
    event->capture = capture_of(stream);
    event->stream = stream;
    event->recorded = true;
    event->time = std::chrono::steady_clock::now();
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return runtime_call("cudaEventSynchronize", [&] {
    if (!is_event(event)) return cudaErrorInvalidResourceHandle;
    ++device().counters.synchronizations;
    if (!event->capture) return event->recorded ? check_pageable_reads(event->stream) : cudaSuccess;
    return invalidate(*event->capture, cudaErrorCapturedEvent,
                      "cudaEventSynchronize: recorded during capture");
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return runtime_call("cudaEventQuery", [&] {
    if (!is_event(event)) return cudaErrorInvalidResourceHandle;
    return event->capture ? cudaErrorCapturedEvent : cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return runtime_call("cudaEventElapsedTime", [&] {
    if (!is_event(start) || !is_event(end)) return cudaErrorInvalidResourceHandle;
    if (!start->recorded || !end->recorded ||
        ((start->flags | end->flags) & cudaEventDisableTiming))
      return refuse(cudaErrorInvalidResourceHandle,
                    "cudaEventElapsedTime: an event without a time");
    if (start->capture || end->capture) return cudaErrorCapturedEvent;
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return runtime_call("cudaStreamWaitEvent", [&] {
    if (!is_stream(stream) || !is_event(event)) return cudaErrorInvalidResourceHandle;
    if (event->capture) return wait_in_capture(stream, *event);
    const auto capture = capture_of(stream);
    if (capture && event->recorded)
      return invalidate(*capture, cudaErrorStreamCaptureIsolation,
                        "cudaStreamWaitEvent: the event was recorded outside this capture");
    return cudaSuccess;
  });
}
