// Dropout, one SIMD lane per sample: each lane draws for its own sample's row.
#pragma once

#include "host/cpu/kernels/vector.h"
#include "host/shared/philox.h"

namespace digitron::DIGITRON_ISA {

typedef uint32_t WordVec __attribute__((vector_size(kWidth * sizeof(uint32_t)), may_alias));
typedef uint64_t WideVec __attribute__((vector_size(kWidth * sizeof(uint64_t)), may_alias));

struct WordVecs {
  WordVec word[4];
};

struct HighProducts {
  WordVec operator()(WordVec a, uint32_t b) const {
    return __builtin_convertvector((__builtin_convertvector(a, WideVec) * b) >> 32, WordVec);
  }
};

// The words of dropout_words in host/shared/dropout.h, for a quad in each lane.
inline WordVecs dropout_words(WordVec quads, const DropoutLayer& d) {
  WordVecs words{{quads, WordVec{} + d.layer, WordVec{} + d.step, WordVec{} + d.purpose}};
  philox4x32(words.word, static_cast<uint32_t>(d.seed), static_cast<uint32_t>(d.seed >> 32),
             HighProducts{});
  return words;
}

inline void dropout(Tensor y, Tensor x, const DropoutLayer& layer, int first_row, int first_element,
                    int elements) {
  const DropoutLayer d = layer;  // a copy that no store can alias
  const uint32_t quads = (static_cast<uint32_t>(elements) + 3) / 4;
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    WordVec quad;
    for (int i = 0; i < kWidth; ++i) quad[i] = static_cast<uint32_t>(first_row + lane + i) * quads;
    quad += static_cast<uint32_t>(first_element) / 4;
    WordVecs words = {};
    int element = first_element;
    for (int c = 0; c < y.channels; ++c)
      for (int p = 0; p < y.height; ++p)
        for (int i = lane; i < y.width * kLanes; i += kLanes, ++element) {
          if (element % 4 == 0 || element == first_element) {
            words = dropout_words(quad, d);
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
