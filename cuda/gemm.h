// Row-major matrix products through cuBLAS, which is column-major.
#pragma once

#include <cublas_v2.h>

namespace digitron {

enum class Transpose { kNo, kYes };

// c (m, n) = op(a) (m, k) times op(b) (k, n), all row-major and dense; op transposes or does not.
// c is overwritten.
void gemm(cublasHandle_t cublas, float* c, const float* a, Transpose op_a, const float* b,
          Transpose op_b, int m, int n, int k);

}  // namespace digitron
