// Which elements dropout keeps: a pure function of the run's seed, the step, the layer, the
// sample's row in the batch and the element in the sample. So nothing is stored, backward draws the
// same again, and all engines drop the same elements. Constexpr and C++17: device code calls it
// too.
#pragma once

#include <cstdint>

#include "host/shared/philox.h"

namespace digitron {

struct DropoutDraw {
  uint64_t seed;
  uint32_t step;   // over the whole run, from 0
  uint32_t layer;  // its index in the plan
};

// One draw serves four elements of a sample: elements 4 q, ... 4 q + 3 share quad q, and a sample
// of `count` elements has so many.
constexpr uint32_t dropout_quads(uint32_t count) {
  return (count + 3) / 4;
}

// The words of the four. quad: row * dropout_quads(count) + element / 4, which a plan keeps below
// 2^32.
constexpr RandomWords dropout_words(const DropoutDraw& draw, uint32_t quad) {
  return random_words(draw.seed, Purpose::kDropout, draw.step, uint64_t{draw.layer} << 32 | quad);
}

// What an element, and later its gradient, is multiplied with. scale: 1 / (1 - probability).
constexpr float dropout_factor(uint32_t word, float probability, float scale) {
  return uniform01(word) < probability ? 0.0f : scale;
}

}  // namespace digitron
