// Between the host's memory, which is pageable, and the device's. Errors name the caller's line.
#pragma once

#include <cuda_runtime_api.h>

#include <span>
#include <vector>

#include "cuda/check.h"

namespace digitron {

// The device has it in the order of the stream. Pageable memory may be read until the stream is
// next waited for, so it must stay until then.
template <class T>
void upload(T* device, std::span<const T> host, cudaStream_t stream,
            SourceLocation where = SourceLocation::current()) {
  check(cudaMemcpyAsync(device, host.data(), host.size_bytes(), cudaMemcpyHostToDevice, stream),
        "cudaMemcpyAsync", where);
}

// Waits for the stream.
template <class T>
std::vector<T> download(const T* device, size_t count, cudaStream_t stream,
                        SourceLocation where = SourceLocation::current()) {
  std::vector<T> host(count);
  check(cudaMemcpyAsync(host.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost, stream),
        "cudaMemcpyAsync", where);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize", where);
  return host;
}

}  // namespace digitron
