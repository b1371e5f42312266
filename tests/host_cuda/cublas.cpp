#include <cublas_v2.h>

#include "tests/host_cuda/handles.h"
#include "tests/host_cuda/library_call.h"
#include "tests/host_cuda/product.h"

using namespace host_cuda;

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  Range workspace = {nullptr, 0};
};

namespace {

bool known(cublasHandle_t handle) {
  return handles<cublasContext>().owns(handle);
}

bool is_operation(cublasOperation_t op) {
  return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C;
}

// Without a workspace of the user's, cuBLAS would have to allocate one while it is captured.
cublasStatus_t check_workspace(cublasHandle_t handle, const char* call) {
  const auto capture = capture_of(handle->stream);
  if (!capture || handle->workspace.begin != nullptr) return CUBLAS_STATUS_SUCCESS;
  invalidate(*capture, cudaErrorStreamCaptureUnsupported,
             std::string(call) +
                 ": captured without a workspace; call cublasSetWorkspace after "
                 "cublasSetStream");
  return CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t submit_product(const char* call, cublasHandle_t handle, Product p, float* c) {
  if (p.c.rows == 0 || p.c.columns == 0) return CUBLAS_STATUS_SUCCESS;
  std::vector<Range> ranges{floats(c, p.c.span())};
  if (p.alpha != 0) {
    ranges.push_back(floats(p.a.data, p.a.span()));
    ranges.push_back(floats(p.b.data, p.b.span()));
  }
  if (!check_ranges(call, ranges)) return CUBLAS_STATUS_INVALID_VALUE;
  if (p.alpha != 0 && (overlap(ranges[0], ranges[1]) || overlap(ranges[0], ranges[2])))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(call) + ": the result is a factor too");
  const cublasStatus_t status = check_workspace(handle, call);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  p.tf32 = handle->math == CUBLAS_TF32_TENSOR_OP_MATH || handle->math == CUBLAS_TENSOR_OP_MATH;
  const Range workspace = handle->workspace;
  if (workspace.begin != nullptr) ranges.push_back(workspace);
  const auto run = [p, c, workspace] {
    use_up(workspace);
    multiply(p, c);
  };
  const cudaError_t error = submit(handle->stream, {Work::kLibrary, call, std::move(ranges), run});
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

template <typename Body>
cublasStatus_t with_handle(const char* call, cublasHandle_t handle, Body body) {
  return library_call(call, CUBLAS_STATUS_EXECUTION_FAILED,
                      [&] { return known(handle) ? body() : CUBLAS_STATUS_NOT_INITIALIZED; });
}

}  // namespace

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  return library_call("cublasCreate", CUBLAS_STATUS_NOT_INITIALIZED, [&] {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    if (refused_by_capture("cublasCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *handle = handles<cublasContext>().create();
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  return with_handle("cublasDestroy", handle, [&] {
    handles<cublasContext>().destroy(handle);
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasGetVersion(cublasHandle_t, int* version) {
  *version = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
  const int parts[] = {CUBLAS_VERSION / 10000, CUBLAS_VERSION / 100 % 100, CUBLAS_VERSION % 100};
  *value = parts[type];
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

const char* cublasGetStatusString(cublasStatus_t status) {
  return cublasGetStatusName(status);
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  return with_handle("cublasSetStream", handle, [&] {
    if (!is_stream(stream)) return CUBLAS_STATUS_INVALID_VALUE;
    handle->stream = stream;
    handle->workspace = {nullptr, 0};
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  return with_handle("cublasGetStream", handle, [&] {
    *stream = handle->stream;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes) {
  return with_handle("cublasSetWorkspace", handle, [&] {
    const Range range{workspace, bytes};
    const bool aligned = reinterpret_cast<uintptr_t>(workspace) % 256 == 0;
    if (workspace == nullptr || !aligned || !on_device(range))
      return refuse(CUBLAS_STATUS_INVALID_VALUE,
                    "cublasSetWorkspace: not device memory of this size, aligned to 256 bytes");
    handle->workspace = range;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return with_handle("cublasSetMathMode", handle, [&] {
    handle->math = mode;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  return with_handle("cublasGetMathMode", handle, [&] {
    *mode = handle->math;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  return with_handle("cublasSetPointerMode", handle, [&] {
    return mode == CUBLAS_POINTER_MODE_HOST ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
  });
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t transa,
                           cublasOperation_t transb, int m, int n, int k, const float* alpha,
                           const float* A, int lda, const float* B, int ldb, const float* beta,
                           float* C, int ldc) {
  return with_handle("cublasSgemm", handle, [&] {
    if (m < 0 || n < 0 || k < 0 || !is_operation(transa) || !is_operation(transb))
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSgemm: a negative size or no operation");
    if (!host_scalar(alpha) || !host_scalar(beta))
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSgemm: alpha and beta are host pointers");
    const Product product{{A, m, k, lda, transa != CUBLAS_OP_N},
                          {B, k, n, ldb, transb != CUBLAS_OP_N},
                          {C, m, n, ldc, false},
                          *alpha,
                          *beta,
                          false};
    if (!product.a.leading_fits() || !product.b.leading_fits() || !product.c.leading_fits())
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSgemm: a leading dimension too small");
    return submit_product("cublasSgemm", handle, product, C);
  });
}

// As the product of op(A) and a matrix of one column, whose elements lie incx apart.
cublasStatus_t cublasSgemv(cublasHandle_t handle, cublasOperation_t trans, int m, int n,
                           const float* alpha, const float* A, int lda, const float* x, int incx,
                           const float* beta, float* y, int incy) {
  return with_handle("cublasSgemv", handle, [&] {
    if (m < 0 || n < 0 || !is_operation(trans) || lda < std::max(1, m))
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSgemv: a size or leading dimension");
    if (incx < 1 || incy < 1)
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "cublasSgemv: increments below 1");
    if (!host_scalar(alpha) || !host_scalar(beta))
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasSgemv: alpha and beta are host pointers");
    const bool transposed = trans != CUBLAS_OP_N;
    const int rows = transposed ? n : m;
    const int columns = transposed ? m : n;
    // y^T (1, rows) = x^T (1, columns) * op(A)^T: rows of one element, a stride apart.
    const Product product{{x, 1, columns, incx, false},
                          {A, columns, rows, lda, !transposed},
                          {y, 1, rows, incy, false},
                          *alpha,
                          *beta,
                          false};
    return submit_product("cublasSgemv", handle, product, y);
  });
}
