#include "cuda/check.h"

#include <string>
#include <string_view>

#include "host/core/error.h"

namespace digitron {

namespace {

constexpr const char* kSmaller = "take a smaller batch or model, or free the GPU of other programs";
constexpr const char* kAgain = "run again, or use --device cpu; what was saved before is intact";

std::string_view file_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

[[noreturn]] void fail(const char* call, const std::string& answer, const SourceLocation& where,
                       bool out_of_memory) {
  throw MachineError(std::string(call) + " failed: " + answer + " (" +
                     std::string(file_name(where.file)) + ":" + std::to_string(where.line) + "); " +
                     (out_of_memory ? kSmaller : kAgain));
}

}  // namespace

void check(cudaError_t status, const char* call, SourceLocation where) {
  if (status == cudaSuccess) return;
  fail(call, cudaGetErrorString(status), where, status == cudaErrorMemoryAllocation);
}

void check(cublasStatus_t status, const char* call, SourceLocation where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(call, cublasGetStatusString(status), where, status == CUBLAS_STATUS_ALLOC_FAILED);
}

void check(cudnnStatus_t status, const char* call, SourceLocation where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char reason[512] = "";  // cuDNN's own words, where it has some
  cudnnGetLastErrorString(reason, sizeof reason);
  const std::string answer = cudnnGetErrorString(status);
  fail(call, *reason ? answer + ", " + reason : answer, where,
       status == CUDNN_STATUS_ALLOC_FAILED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
}

}  // namespace digitron
