#include "host/shared/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace digitron {
namespace {

constexpr bool equal(const RandomWords& a, const RandomWords& b) {
  return std::equal(a.word, a.word + 4, b.word);
}

// Known answers from the Random123 distribution (kat_vectors: philox4x32 10).
static_assert(equal(philox4x32({{0, 0, 0, 0}}, 0, 0),
                    {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
static_assert(equal(philox4x32({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff,
                               0xffffffff),
                    {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
static_assert(equal(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822,
                               0x299f31d0),
                    {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));

static_assert(uniform01(0) == 0.0f);
static_assert(uniform01(0x80000000) == 0.5f);
static_assert(uniform01(0xffffffff) < 1.0f);

// The compiler's arithmetic above is not the machine's.
TEST(Philox, KnownAnswersAtRunTime) {
  const volatile uint32_t key[2] = {0xa4093822, 0x299f31d0};
  const RandomWords words =
      philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, key[0], key[1]);
  EXPECT_TRUE(equal(words, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST(Philox, EveryPartOfTheCounterAndKeyMatters) {
  constexpr uint64_t kHigh = uint64_t{1} << 32;
  std::set<std::array<uint32_t, 4>> seen;
  const auto add = [&](const RandomWords& words) {
    return seen.insert(std::to_array(words.word)).second;
  };
  EXPECT_TRUE(add(random_words(1, Purpose::kShuffle, 1, 1)));
  EXPECT_TRUE(add(random_words(2, Purpose::kShuffle, 1, 1)));
  EXPECT_TRUE(add(random_words(1 + kHigh, Purpose::kShuffle, 1, 1)));
  EXPECT_TRUE(add(random_words(1, Purpose::kDropout, 1, 1)));
  EXPECT_TRUE(add(random_words(1, Purpose::kShuffle, 2, 1)));
  EXPECT_TRUE(add(random_words(1, Purpose::kShuffle, 1, 2)));
  EXPECT_TRUE(add(random_words(1, Purpose::kShuffle, 1, 1 + kHigh)));
  EXPECT_FALSE(add(random_words(1, Purpose::kShuffle, 1, 1)));
}

TEST(Philox, UniformsFillTheirRangeEvenly) {
  constexpr int kBuckets = 64;
  constexpr int kEach = 1000;
  std::array<int, kBuckets> hits{};
  for (int i = 0; i < kBuckets * kEach / 4; ++i) {
    for (const uint32_t word : random_words(7, Purpose::kSynthetic, 0, uint64_t(i)).word) {
      const float value = uniform01(word);
      ASSERT_TRUE(value >= 0.0f && value < 1.0f);
      ++hits[static_cast<size_t>(value * kBuckets)];
    }
  }
  double chi_square = 0;
  for (const int hit : hits) chi_square += double(hit - kEach) * (hit - kEach) / kEach;
  EXPECT_TRUE(chi_square > 30 && chi_square < 110) << chi_square;  // 63 expected, deviation 11
}

}  // namespace
}  // namespace digitron
