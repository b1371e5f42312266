// Dropout, one SIMD lane per sample: each lane draws for its own sample's row.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

typedef uint32_t WordVec __attribute__((vector_size(kWidth * sizeof(uint32_t)), may_alias));
typedef uint64_t WideVec __attribute__((vector_size(kWidth * sizeof(uint64_t)), may_alias));

struct WordVecs {
  WordVec word[4];
};

inline WordVec high_product(WordVec a, uint32_t b) {
  return __builtin_convertvector((__builtin_convertvector(a, WideVec) * b) >> 32, WordVec);
}

// host/shared/philox.h in lanes; the words of dropout_words in host/shared/dropout.h, for a quad in
// each lane.
inline WordVecs philox(WordVec quads, const DropoutLayer& d) {
  WordVec c0 = quads, c1 = WordVec{} + d.layer, c2 = WordVec{} + d.step, c3 = WordVec{} + d.purpose;
  auto key0 = static_cast<uint32_t>(d.seed);
  auto key1 = static_cast<uint32_t>(d.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    constexpr uint32_t kFirst = 0xD2511F53u;
    constexpr uint32_t kSecond = 0xCD9E8D57u;
    const WordVec high0 = high_product(c0, kFirst);
    const WordVec high1 = high_product(c2, kSecond);
    const WordVec low0 = c0 * kFirst;
    const WordVec low1 = c2 * kSecond;
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

inline void dropout(Tensor y, Tensor x, const DropoutLayer& layer, int first_row) {
  const DropoutLayer d = layer;  // a copy that no store can alias
  const auto count = static_cast<uint32_t>(y.channels * y.height * y.width);
  const uint32_t quads = (count + 3) / 4;
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    WordVec quad;
    for (int i = 0; i < kWidth; ++i) quad[i] = static_cast<uint32_t>(first_row + lane + i) * quads;
    WordVecs words = {};
    int element = 0;
    for (int c = 0; c < y.channels; ++c)
      for (int p = 0; p < y.height; ++p)
        for (int i = lane; i < y.width * kLanes; i += kLanes, ++element) {
          if (element % 4 == 0) {
            words = philox(quad, d);
            quad += 1;
          }
          const IntVec shifted = (IntVec)(words.word[element % 4] >> 8);
          const Vec uniform = __builtin_convertvector(shifted, Vec) * (1.0f / 16777216.0f);
          const Vec factor = uniform < d.probability ? Vec{} : Vec{} + d.scale;
          store(y.row(c, p) + i, load(x.row(c, p) + i) * factor);
        }
  }
}

}  // namespace digitron::DIGITRON_ISA
