// The one place where a status of the CUDA libraries becomes an error.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <source_location>

namespace digitron {

// Each throws MachineError unless the call succeeded: what was called, what it answered (cuDNN with
// its reason), the file and line, and what to do. `call`: "cudaMalloc".
void check(cudaError_t status, const char* call,
           std::source_location where = std::source_location::current());
void check(cublasStatus_t status, const char* call,
           std::source_location where = std::source_location::current());
void check(cudnnStatus_t status, const char* call,
           std::source_location where = std::source_location::current());

}  // namespace digitron
