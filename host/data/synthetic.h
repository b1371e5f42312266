// Digits drawn by the program itself, for machines without MNIST. Not MNIST, and never reported as
// it.
#pragma once

#include <cstdint>

#include "host/core/dataset.h"
#include "host/core/engine.h"

namespace digitron {

inline constexpr int kSyntheticTrainCount = 60'000;
inline constexpr int kSyntheticTestCount = 10'000;

// The first `count` synthetic digits of a split. Each image and label is a pure function of (seed,
// split, index): the strokes of a random digit with random slant, turn, scale, shift, thickness and
// noise.
Dataset synthetic_digits(uint64_t seed, Split split, int count);

}  // namespace digitron
