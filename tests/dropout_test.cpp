#include "host/shared/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace digitron {
namespace {

TEST(Dropout, QuadsHoldFourElements) {
  EXPECT_EQ(dropout_quads(1), 1u);
  EXPECT_EQ(dropout_quads(4), 1u);
  EXPECT_EQ(dropout_quads(5), 2u);
}

// Whatever of its arguments changes, other words come out.
TEST(Dropout, EveryArgumentCounts) {
  std::set<uint32_t> words;
  int draws = 0;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{1} << 32})
    for (const uint32_t step : {0u, 1u, 0xffffffffu})
      for (const uint32_t layer : {0u, 1u, 2u})
        for (const uint32_t quad : {0u, 1u, 0x80000000u}) {
          const RandomWords drawn = dropout_words({seed, step, layer}, quad);
          words.insert(std::begin(drawn.word), std::end(drawn.word));
          draws += 4;
        }
  EXPECT_EQ(words.size(), static_cast<size_t>(draws));
}

TEST(Dropout, DropsItsShare) {
  constexpr int kQuads = 25'000;
  for (const float p : {0.0f, 0.1f, 0.5f, 0.9f}) {
    int dropped = 0;
    for (uint32_t quad = 0; quad < kQuads; ++quad) {
      for (const uint32_t word : dropout_words({1, 2, 3}, quad).word) {
        const float factor = dropout_factor(word, p, 7);
        ASSERT_TRUE(factor == 0 || factor == 7);
        dropped += factor == 0;
      }
    }
    const double n = 4.0 * kQuads;
    EXPECT_TRUE(std::abs(dropped / n - double(p)) <= 4 * std::sqrt(double(p) * (1 - double(p)) / n))
        << p << ": " << dropped;
  }
}

}  // namespace
}  // namespace digitron
