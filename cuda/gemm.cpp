#include "cuda/gemm.h"

#include "cuda/check.h"

namespace digitron {

// A row-major matrix is its transpose in column-major terms, and c^T = op(b)^T op(a)^T: so the
// factors change places, and each keeps its own op.
void gemm(cublasHandle_t cublas, float* c, const float* a, Transpose op_a, const float* b,
          Transpose op_b, int m, int n, int k) {
  const float one = 1;
  const float zero = 0;
  const auto operation = [](Transpose op) {
    return op == Transpose::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const int row_a = op_a == Transpose::kYes ? m : k;  // floats from one row to the next
  const int row_b = op_b == Transpose::kYes ? k : n;
  check(cublasSgemm(cublas, operation(op_b), operation(op_a), n, m, k, &one, b, row_b, a, row_a,
                    &zero, c, n),
        "cublasSgemm");
}

}  // namespace digitron
