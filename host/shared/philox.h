// Counter-based random numbers: pure functions of (seed, purpose, epoch or step, index), so that
// every engine draws the same numbers, in any order, on any number of threads, and resuming is
// exact. Constexpr and C++17: device code calls these functions too.
#pragma once

#include <cstdint>

namespace digitron {

// What a random number is for; part of the counter, so that no two uses share a stream.
enum class Purpose : uint32_t {
  kInitialWeights = 1,
  kShuffle,
  kDropout,
  kAugmentation,
  kSynthetic
};

struct RandomWords {
  uint32_t word[4];
};

// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011. A Word is a uint32_t, or a vector of them with a counter in each lane; high_product(a, b)
// is the upper half of their product.
template <class Word, class HighProduct>
constexpr void philox4x32(Word (&counter)[4], uint32_t key0, uint32_t key1,
                          HighProduct high_product) {
  for (int round = 0; round < 10; ++round) {
    constexpr uint32_t kFirst = 0xD2511F53u;
    constexpr uint32_t kSecond = 0xCD9E8D57u;
    const Word high0 = high_product(counter[0], kFirst);
    const Word high2 = high_product(counter[2], kSecond);
    const Word low0 = counter[0] * kFirst;
    const Word low2 = counter[2] * kSecond;
    counter[0] = high2 ^ counter[1] ^ key0;
    counter[1] = low2;
    counter[2] = high0 ^ counter[3] ^ key1;
    counter[3] = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

struct HighProduct {
  constexpr uint32_t operator()(uint32_t a, uint32_t b) const {
    return static_cast<uint32_t>(uint64_t{a} * b >> 32);
  }
};

constexpr RandomWords philox4x32(RandomWords counter, uint32_t key0, uint32_t key1) {
  philox4x32(counter.word, key0, key1, HighProduct{});
  return counter;
}

// Four words for one index. `when` is the epoch or the step, whichever the purpose counts in.
constexpr RandomWords random_words(uint64_t seed, Purpose purpose, uint32_t when, uint64_t index) {
  return philox4x32({{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), when,
                      static_cast<uint32_t>(purpose)}},
                    static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// A float in [0, 1), every multiple of 2^-24 equally likely.
constexpr float uniform01(uint32_t word) {
  return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

}  // namespace digitron
