#include "cuda/linear_plan.h"

#include "cuda/check.h"
#include "kernels/bias.h"

namespace digitron {

namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

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

LinearPlan::LinearPlan(const Context& context, int inputs, int outputs, int n, bool relu,
                       size_t workspace_limit)
    : context_(context), inputs_(inputs), outputs_(outputs), n_(n), relu_(relu) {
  describe(context.options.tf32);
  choose_algorithm(context.options.deterministic, workspace_limit);
}

// y^T (O, n) = w (O, I) x^T (I, n): what is stored row by row are the columns that cuBLASLt wants,
// but for w, which it is to transpose; and the bias runs along the columns of y^T, as it must.
void LinearPlan::describe(bool tf32) {
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

void LinearPlan::choose_algorithm(bool deterministic, size_t workspace_limit) {
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

std::string LinearPlan::forward_algorithm() const {
  if (!algorithm_) return "cublasSgemm, add_bias";
  return relu_ ? "cublasLt RELU_BIAS" : "cublasLt BIAS";
}

void LinearPlan::forward(float* y, const float* x, const float* w, const float* b,
                         const Workspace& workspace) const {
  const cudaStream_t stream = context_.stream.get();
  if (!algorithm_) {
    gemm(context_.cublas.get(), y, x, Transpose::kNo, w, Transpose::kYes, n_, outputs_, inputs_);
    check(add_bias(y, b, n_, outputs_, 1, relu_, stream), "add_bias");
    return;
  }
  set(matmul_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, b);
  check(cublasLtMatmul(context_.cublas_lt.get(), matmul_.get(), &kOne, w, w_.get(), x, x_.get(),
                       &kZero, y, y_.get(), y, y_.get(), &*algorithm_, workspace.memory,
                       workspace.bytes, stream),
        "cublasLtMatmul");
}

void LinearPlan::backward_weights(float* dw, const float* dy, const float* x) const {
  gemm(context_.cublas.get(), dw, dy, Transpose::kYes, x, Transpose::kNo, outputs_, inputs_, n_);
}

void LinearPlan::backward_input(float* dx, const float* dy, const float* w) const {
  gemm(context_.cublas.get(), dx, dy, Transpose::kNo, w, Transpose::kNo, n_, inputs_, outputs_);
}

}  // namespace digitron
