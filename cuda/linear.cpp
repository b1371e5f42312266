#include "cuda/linear.h"

#include "cuda/check.h"
#include "kernels/kernels.h"

namespace digitron {

namespace {

enum class Transpose { kNo, kYes };

// c (m, n) = op(a) (m, k) times op(b) (k, n), all row-major and dense; c is overwritten. To cuBLAS
// a row-major matrix is its transpose, and c^T = op(b)^T op(a)^T: so the factors change places, and
// each keeps its own op.
void gemm(cublasHandle_t cublas, float* c, const float* a, Transpose op_a, const float* b,
          Transpose op_b, int m, int n, int k) {
  const auto operation = [](Transpose op) {
    return op == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const int row_a = op_a == Transpose::kYes ? m : k;  // floats from one row to the next
  const int row_b = op_b == Transpose::kYes ? k : n;
  check(cublasSgemm(cublas, operation(op_b), operation(op_a), n, m, k, &kOne, b, row_b, a, row_a,
                    &kZero, c, n),
        "cublasSgemm");
}

template <class T>
void set(cublasLtMatmulDesc_t matmul, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(matmul, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}

template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

}  // namespace

LinearOperation::LinearOperation(const OperationRequest& request, const Linear&)
    : context_(request.context),
      inputs_(request.in().count()),
      outputs_(request.out().count()),
      n_(request.n),
      relu_(request.layers.relu),
      input_gradient_(request.layers.layer->input_gradient) {
  describe(context_.options.tf32);
  choose_algorithm(context_.options.deterministic, request.workspace_limit);
}

// y^T (O, n) = w (O, I) x^T (I, n): what is stored row by row are the columns that cuBLASLt wants,
// but for w, which it is to transpose; and the bias runs along the columns of y^T, as it must.
void LinearOperation::describe(bool tf32) {
  check(cublasLtMatmulDescCreate(
            matmul_.out(), tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  set(matmul_.get(), CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(matmul_.get(), CUBLASLT_MATMUL_DESC_EPILOGUE,
      relu_ ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
  const auto create = [](Layout& layout, int rows, int columns) {
    check(cublasLtMatrixLayoutCreate(layout.out(), CUDA_R_32F, static_cast<uint64_t>(rows),
                                     static_cast<uint64_t>(columns), rows),
          "cublasLtMatrixLayoutCreate");
  };
  create(w_, inputs_, outputs_);
  create(x_, inputs_, n_);
  create(y_, outputs_, n_);
}

void LinearOperation::choose_algorithm(bool deterministic, size_t workspace_limit) {
  Unique<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference;
  check(cublasLtMatmulPreferenceCreate(preference.out()), "cublasLtMatmulPreferenceCreate");
  set(preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{workspace_limit});
  if (deterministic) {  // partial sums one after another, not as blocks happen to end
    set(preference.get(), CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  }
  cublasLtMatmulHeuristicResult_t result{};
  int returned = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(context_.cublas_lt.get(), matmul_.get(), w_.get(), x_.get(),
                                     y_.get(), y_.get(), preference.get(), 1, &result, &returned);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && returned == 0))
    return;
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  algorithm_ = result.algo;
  workspace_bytes_ = result.workspaceSize;
}

std::vector<Detail> LinearOperation::details(const std::string& group,
                                             const std::string& layer) const {
  const char* algorithm = relu_ ? "cublasLt RELU_BIAS" : "cublasLt BIAS";
  return {{group, layer + " forward", algorithm_ ? algorithm : "cublasSgemm, add_bias"}};
}

void LinearOperation::forward(const Operands& o, Pass) const {
  const cudaStream_t stream = context_.stream.get();
  if (!algorithm_) {
    gemm(context_.cublas.get(), o.y, o.x, Transpose::kNo, o.w, Transpose::kYes, n_, outputs_,
         inputs_);
    check(add_bias(o.y, o.b, n_, outputs_, 1, relu_, stream), "add_bias");
    return;
  }
  set(matmul_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, o.b);
  check(cublasLtMatmul(context_.cublas_lt.get(), matmul_.get(), &kOne, o.w, w_.get(), o.x, x_.get(),
                       &kZero, o.y, y_.get(), o.y, y_.get(), &*algorithm_, o.workspace.memory,
                       o.workspace.bytes, stream),
        "cublasLtMatmul");
}

void LinearOperation::backward(const Operands& o) const {
  const cublasHandle_t cublas = context_.cublas.get();
  check(bias_gradient(o.db, o.dy, o.bias_partials, relu_ ? o.y : nullptr, n_, outputs_, 1,
                      context_.stream.get()),
        "bias_gradient");
  gemm(cublas, o.dw, o.dy, Transpose::kYes, o.x, Transpose::kNo, outputs_, inputs_, n_);
  if (!input_gradient_) return;
  gemm(cublas, o.dx, o.dy, Transpose::kNo, o.w, Transpose::kNo, n_, inputs_, outputs_);
}

}  // namespace digitron
