#include <cublasLt.h>

#include "tests/host_cuda/handles.h"
#include "tests/host_cuda/library_call.h"
#include "tests/host_cuda/product.h"

using namespace host_cuda;

struct cublasLtContext {};

struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasOperation_t op_a = CUBLAS_OP_N;
  cublasOperation_t op_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;

  bool has_bias() const { return (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }
  bool has_relu() const { return (epilogue & CUBLASLT_EPILOGUE_RELU) != 0; }
};

struct cublasLtMatrixLayoutOpaque_t {
  int rows;
  int columns;
  int leading;
};

struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t workspace_bytes = 0;
};

namespace {

constexpr size_t kWorkspaceBytes = 4096;

template <typename Body>
cublasStatus_t lt_call(const char* call, Body body) {
  return library_call(call, CUBLAS_STATUS_EXECUTION_FAILED, body);
}

template <typename T>
cublasStatus_t destroy(const char* call, T* handle) {
  return lt_call(call, [&] {
    return handles<T>().destroy(handle) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  });
}

// Copies an attribute's new value, whose size must be the member's.
template <typename T>
cublasStatus_t set(T& member, const void* value, size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&member, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

struct Call {
  cublasLtMatmulDesc_t description;
  cublasLtMatrixLayout_t a, b, c, d;

  bool known() const {
    const auto owns = [](auto* layout) {
      return handles<cublasLtMatrixLayoutOpaque_t>().owns(layout);
    };
    return handles<cublasLtMatmulDescOpaque_t>().owns(description) && owns(a) && owns(b) &&
           owns(c) && owns(d);
  }
  Product product() const {
    const bool ta = description->op_a != CUBLAS_OP_N;
    const bool tb = description->op_b != CUBLAS_OP_N;
    return {{nullptr, ta ? a->columns : a->rows, ta ? a->rows : a->columns, a->leading, ta},
            {nullptr, tb ? b->columns : b->rows, tb ? b->rows : b->columns, b->leading, tb},
            {nullptr, d->rows, d->columns, d->leading, false},
            1,
            0,
            description->compute == CUBLAS_COMPUTE_32F_FAST_TF32};
  }
  bool consistent() const {
    const Product p = product();
    return p.a.columns == p.b.rows && p.a.rows == p.c.rows && p.b.columns == p.c.columns &&
           c->rows == d->rows && c->columns == d->columns && p.a.leading_fits() &&
           p.b.leading_fits() && p.c.leading_fits();
  }
  // What an algorithm was chosen for: it is good for nothing else.
  cublasLtMatmulAlgo_t algorithm() const {
    const Product p = product();
    return {{static_cast<uint64_t>(p.c.rows), static_cast<uint64_t>(p.c.columns),
             static_cast<uint64_t>(p.a.columns), static_cast<uint64_t>(description->epilogue),
             static_cast<uint64_t>(description->compute), p.a.transposed, p.b.transposed, 0xD161}};
  }
};

void finish(float* d, const cublasLtMatmulDescOpaque_t& description, const Matrix& out) {
  for (int j = 0; j < out.columns; ++j)
    for (int i = 0; i < out.rows; ++i) {
      float& value =
          d[static_cast<size_t>(j) * static_cast<size_t>(out.leading) + static_cast<size_t>(i)];
      if (description.has_bias()) value += description.bias[i];
      if (description.has_relu() && value < 0) value = 0;
    }
}

cublasStatus_t submit_matmul(const Call& call, Product p, float* d, Range workspace,
                             cudaStream_t stream) {
  const char* name = "cublasLtMatmul";
  std::vector<Range> ranges{floats(d, p.c.span()), floats(p.a.data, p.a.span()),
                            floats(p.b.data, p.b.span()), workspace};
  if (call.description->has_bias())
    ranges.push_back(floats(call.description->bias, static_cast<size_t>(p.c.rows)));
  if (!check_ranges(name, ranges)) return CUBLAS_STATUS_INVALID_VALUE;
  if (overlap(ranges[0], ranges[1]) || overlap(ranges[0], ranges[2]))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, std::string(name) + ": the result is a factor too");
  const auto run = [p, d, workspace, description = *call.description] {
    use_up(workspace);
    multiply(p, d);
    finish(d, description, p.c);
  };
  const cudaError_t error = submit(stream, {Work::kLibrary, name, std::move(ranges), run});
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace

cublasStatus_t cublasLtGetProperty(libraryPropertyType type, int* value) {
  return cublasGetProperty(type, value);
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return lt_call("cublasLtCreate", [&] {
    if (refused_by_capture("cublasLtCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *handle = handles<cublasLtContext>().create();
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroy("cublasLtDestroy", handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType_t scale) {
  return lt_call("cublasLtMatmulDescCreate", [&] {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *description = handles<cublasLtMatmulDescOpaque_t>().create({compute});
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  return destroy("cublasLtMatmulDescDestroy", description);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  return lt_call("cublasLtMatmulDescSetAttribute", [&] {
    if (!handles<cublasLtMatmulDescOpaque_t>().owns(description))
      return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
      case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(description->op_a, value, bytes);
      case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(description->op_b, value, bytes);
      case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(description->epilogue, value, bytes);
      case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(description->bias, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
  });
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t leading) {
  return lt_call("cublasLtMatrixLayoutCreate", [&] {
    if (type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    *layout = handles<cublasLtMatrixLayoutOpaque_t>().create(
        {static_cast<int>(rows), static_cast<int>(columns), static_cast<int>(leading)});
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy("cublasLtMatrixLayoutDestroy", layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return lt_call("cublasLtMatmulPreferenceCreate", [&] {
    *preference = handles<cublasLtMatmulPreferenceOpaque_t>().create();
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy("cublasLtMatmulPreferenceDestroy", preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  return lt_call("cublasLtMatmulPreferenceSetAttribute", [&] {
    if (!handles<cublasLtMatmulPreferenceOpaque_t>().owns(preference))
      return CUBLAS_STATUS_INVALID_VALUE;
    uint32_t schemes = 0;  // the one algorithm needs none
    return attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
               ? set(preference->workspace_bytes, value, bytes)
               : set(schemes, value, bytes);
  });
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle,
                                              cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* returned) {
  return lt_call("cublasLtMatmulAlgoGetHeuristic", [&] {
    const Call call{description, a, b, c, d};
    *returned = 0;
    if (!handles<cublasLtContext>().owns(handle) || !call.known() || wanted < 1 ||
        !handles<cublasLtMatmulPreferenceOpaque_t>().owns(preference))
      return CUBLAS_STATUS_INVALID_VALUE;
    if (!call.consistent() || preference->workspace_bytes < kWorkspaceBytes)
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED,
                    "cublasLtMatmulAlgoGetHeuristic: the layouts do not fit, or the workspace");
    results[0] = {call.algorithm(), kWorkspaceBytes, CUBLAS_STATUS_SUCCESS, 1, {}};
    *returned = 1;
    return CUBLAS_STATUS_SUCCESS;
  });
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                              const void* alpha, const void* A, cublasLtMatrixLayout_t a,
                              const void* B, cublasLtMatrixLayout_t b, const void* beta,
                              const void* C, cublasLtMatrixLayout_t c, void* D,
                              cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  return lt_call("cublasLtMatmul", [&] {
    const Call call{description, a, b, c, d};
    if (!handles<cublasLtContext>().owns(handle) || !call.known() || !is_stream(stream))
      return CUBLAS_STATUS_INVALID_VALUE;
    if (!call.consistent() || C != D || !host_scalar(alpha) || !host_scalar(beta))
      return refuse(CUBLAS_STATUS_INVALID_VALUE,
                    "cublasLtMatmul: layouts that do not fit, or alpha and beta not on the host");
    const cublasLtMatmulAlgo_t fitting = call.algorithm();
    if (algo == nullptr || std::memcmp(algo, &fitting, sizeof fitting) != 0)
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmul: an algorithm of other layouts");
    if (workspace_bytes < kWorkspaceBytes)
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmul: the workspace is too small");
    Product p = call.product();
    p.a.data = static_cast<const float*>(A);
    p.b.data = static_cast<const float*>(B);
    p.alpha = scalar(alpha);
    p.beta = scalar(beta);
    return submit_matmul(call, p, static_cast<float*>(D), {workspace, workspace_bytes}, stream);
  });
}
