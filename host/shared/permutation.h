// The shuffle: a keyed bijection of [0, count), computed per index, so that no permutation array
// exists. Constexpr and C++17: device code calls it too.
#pragma once

#include <cstdint>

#include "host/shared/philox.h"

namespace digitron {

// A Feistel network over the smallest even number of bits that holds `count`, walked along its
// cycle until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA
// 2002). The domain is under 4 * count, so a walk takes fewer than 4 rounds of the network on
// average.
class Permutation {
 public:
  // The order of epoch `epoch`; with shuffle off, the identity.
  constexpr Permutation(uint64_t seed, uint32_t epoch, uint32_t count, bool shuffle = true)
      : count_(count), shuffle_(shuffle) {
    while ((uint64_t{1} << (2 * half_bits_)) < count) ++half_bits_;
    for (uint32_t i = 0; i < kRounds / 4; ++i) {
      const RandomWords words = random_words(seed, Purpose::kShuffle, epoch, i);
      for (uint32_t j = 0; j < 4; ++j) keys_[4 * i + j] = words.word[j];
    }
  }

  // The image that stands at position i of the epoch. Requires i < count.
  constexpr uint32_t operator()(uint32_t i) const {
    if (!shuffle_) return i;
    do i = encrypt(i);
    while (i >= count_);
    return i;
  }

 private:
  static constexpr uint32_t kRounds = 8;

  constexpr uint32_t encrypt(uint32_t value) const {
    const uint32_t mask = (1u << half_bits_) - 1;
    uint32_t left = value >> half_bits_;
    uint32_t right = value & mask;
    for (const uint32_t key : keys_) {
      uint32_t mixed = (right ^ key) * 0x9E3779B1u;
      mixed = (mixed ^ (mixed >> 15)) * 0x85EBCA77u;
      const uint32_t next = left ^ ((mixed ^ (mixed >> 13)) & mask);
      left = right;
      right = next;
    }
    return (left << half_bits_) | right;
  }

  uint32_t keys_[kRounds] = {};
  uint32_t count_;
  uint32_t half_bits_ = 1;
  bool shuffle_;
};

}  // namespace digitron
