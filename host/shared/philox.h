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
// 2011.
constexpr RandomWords philox4x32(RandomWords counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * counter.word[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<uint32_t>(p1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(p1),
                static_cast<uint32_t>(p0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<uint32_t>(p0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
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
