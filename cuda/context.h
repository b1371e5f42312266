// One GPU as an engine sees it: a stream, and the libraries' handles bound to it.
#pragma once

#include <cublasLt.h>

#include <cstddef>

#include "cuda/check.h"
#include "cuda/unique.h"
#include "host/core/devices.h"

namespace digitron {

using Stream = Unique<cudaStream_t, cudaStreamDestroy>;
using CublasHandle = Unique<cublasHandle_t, cublasDestroy>;
using CublasLtHandle = Unique<cublasLtHandle_t, cublasLtDestroy>;
using CudnnHandle = Unique<cudnnHandle_t, cudnnDestroy>;

// Scratch memory on the device that the operations of one stream take turns with.
struct Workspace {
  std::byte* memory = nullptr;
  size_t bytes = 0;
};

struct Context {
  // Makes `device` the calling thread's. Throws MachineError.
  Context(int device, const CudaOptions& wanted);

  CudaOptions options;
  Stream stream;
  CublasHandle cublas;
  CublasLtHandle cublas_lt;
  CudnnHandle cudnn;
};

}  // namespace digitron
