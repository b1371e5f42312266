// Products of column-major matrices, for cuBLAS and cuBLASLt.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace host_cuda {

// A column-major matrix behind its transposition: (rows, columns) as the product sees it.
struct Matrix {
  const float* data;
  int rows;
  int columns;
  int leading;  // floats from one stored column to the next
  bool transposed;

  size_t span() const {
    const size_t stored_rows = static_cast<size_t>(transposed ? columns : rows);
    const size_t stored_columns = static_cast<size_t>(transposed ? rows : columns);
    if (stored_rows == 0 || stored_columns == 0) return 0;
    return (stored_columns - 1) * static_cast<size_t>(leading) + stored_rows;
  }
  bool leading_fits() const { return leading >= std::max(1, transposed ? columns : rows); }
  // Dense, column after column, as the arithmetic sees it.
  std::vector<float> packed(bool tf32) const;
};

struct Product {
  Matrix a;
  Matrix b;
  Matrix c;
  float alpha;
  float beta;
  bool tf32;
};

// As BLAS asks: with alpha 0 the factors are not read, with beta 0 the result is not.
void multiply(const Product& product, float* c);

}  // namespace host_cuda
