// One GPU as an engine sees it: a stream, and the libraries' handles bound to it.
#pragma once

#include "cuda/check.h"
#include "cuda/unique.h"
#include "host/engine.h"

namespace digitron {

using Stream = Unique<cudaStream_t, cudaStreamDestroy>;
using CublasHandle = Unique<cublasHandle_t, cublasDestroy>;
using CudnnHandle = Unique<cudnnHandle_t, cudnnDestroy>;

struct Context {
  // Makes `device` the calling thread's. Throws MachineError.
  Context(int device, const CudaOptions& wanted);

  CudaOptions options;
  Stream stream;
  CublasHandle cublas;
  CudnnHandle cudnn;
};

}  // namespace digitron
