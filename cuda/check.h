// The one place where a status of the CUDA libraries becomes an error.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace digitron {

// std::source_location, which clang has from version 16 on.
struct SourceLocation {
  const char* file;
  int line;

  static SourceLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// Each throws MachineError unless the call succeeded: what was called, what it answered (cuDNN with
// its reason), the file and line, and what to do. `call`: "cudaMalloc".
void check(cudaError_t status, const char* call, SourceLocation where = SourceLocation::current());
void check(cublasStatus_t status, const char* call,
           SourceLocation where = SourceLocation::current());
void check(cudnnStatus_t status, const char* call,
           SourceLocation where = SourceLocation::current());

}  // namespace digitron
