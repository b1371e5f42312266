#include "tests/host_cuda/product.h"

#include "tests/host_cuda/library_call.h"

namespace host_cuda {

std::vector<float> Matrix::packed(bool tf32) const {
  std::vector<float> dense;
  dense.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns));
  const size_t ld = static_cast<size_t>(leading);
  for (size_t j = 0; j < static_cast<size_t>(columns); ++j)
    for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
      const float value = transposed ? data[i * ld + j] : data[j * ld + i];
      dense.push_back(tf32 ? round_tf32(value) : value);
    }
  return dense;
}

void multiply(const Product& p, float* c) {
  const size_t m = static_cast<size_t>(p.c.rows);
  const size_t k = static_cast<size_t>(p.a.columns);
  const bool empty = p.alpha == 0;
  const std::vector<float> a = empty ? std::vector<float>() : p.a.packed(p.tf32);
  const std::vector<float> b = empty ? std::vector<float>() : p.b.packed(p.tf32);
  std::vector<float> sums(m);
  for (size_t j = 0; j < static_cast<size_t>(p.c.columns); ++j) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (size_t l = 0; !empty && l < k; ++l) {
      const float factor = b[j * k + l];
      const float* column = a.data() + l * m;
      for (size_t i = 0; i < m; ++i) sums[i] += column[i] * factor;
    }
    float* const out = c + j * static_cast<size_t>(p.c.leading);
    for (size_t i = 0; i < m; ++i) blend(out[i], p.alpha, sums[i], p.beta);
  }
}

}  // namespace host_cuda
