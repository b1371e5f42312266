#include "host/shared/permutation.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace digitron {
namespace {

constexpr uint32_t kCount = 60'000;

static_assert(Permutation(1, 1, 1)(0) == 0);
static_assert(Permutation(1, 1, 1000)(5) < 1000);
static_assert(Permutation(1, 1, 1000, false)(5) == 5);

std::vector<uint32_t> order(uint64_t seed, uint32_t epoch, uint32_t count, bool shuffle = true) {
  const Permutation permutation(seed, epoch, count, shuffle);
  std::vector<uint32_t> images(count);
  for (uint32_t i = 0; i < count; ++i) images[i] = permutation(i);
  return images;
}

int places_in_common(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  int common = 0;
  for (size_t i = 0; i < a.size(); ++i) common += a[i] == b[i];
  return common;
}

double correlation(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  const double mean = (double(kCount) - 1) / 2;
  const double variance = (double(kCount) * kCount - 1) / 12;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean) * (b[i] - mean);
  return sum / (double(a.size()) * variance);
}

TEST(Permutation, VisitsEveryImageOnce) {
  for (const uint32_t count :
       {1u, 2u, 3u, 4u, 5u, 7u, 16u, 17u, 64u, 65u, 1000u, 60'000u, 65'536u, 65'537u}) {
    for (uint32_t epoch = 1; epoch <= 3; ++epoch) {
      std::vector<bool> seen(count);
      for (const uint32_t image : order(9, epoch, count)) {
        ASSERT_LT(image, count);
        ASSERT_FALSE(seen[image]) << image << " twice of " << count;
        seen[image] = true;
      }
    }
  }
}

TEST(Permutation, WithoutShuffleIsTheFilesOrder) {
  std::vector<uint32_t> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order(1, 1, 1000, false), expected);
}

TEST(Permutation, IsAFunctionOfSeedAndEpoch) {
  const std::vector<uint32_t> first = order(1, 1, kCount);
  EXPECT_EQ(order(1, 1, kCount), first);
  // Two random orders share one place on average.
  EXPECT_LT(places_in_common(order(1, 2, kCount), first), 10);
  EXPECT_LT(places_in_common(order(2, 1, kCount), first), 10);
  EXPECT_LT(places_in_common(order(1 + (uint64_t{1} << 32), 1, kCount), first), 10);
  EXPECT_LT(places_in_common(order(1, 1, kCount, false), first), 10);
}

TEST(Permutation, NeighboursAndEpochsAreUncorrelated) {
  const double bound = 4 / std::sqrt(double(kCount));
  for (uint32_t epoch = 1; epoch <= 5; ++epoch) {
    const std::vector<uint32_t> images = order(3, epoch, kCount);
    EXPECT_TRUE(std::abs(correlation(images, order(3, epoch + 1, kCount))) < bound);
    EXPECT_TRUE(std::abs(correlation(images, order(3, epoch, kCount, false))) < bound);
    for (const size_t apart : {1u, 2u, 16u, 64u}) {
      const std::vector<uint32_t> front(images.begin(), images.end() - std::ptrdiff_t(apart));
      const std::vector<uint32_t> back(images.begin() + std::ptrdiff_t(apart), images.end());
      EXPECT_TRUE(std::abs(correlation(front, back)) < bound) << apart << " apart";
    }
  }
}

// Where an image comes from says nothing about where it goes: a table of tenths by tenths.
TEST(Permutation, ChiSquareOverTenths) {
  constexpr uint32_t kTenth = kCount / 10;
  constexpr double kExpected = kTenth / 10.0;
  for (uint32_t epoch = 1; epoch <= 10; ++epoch) {
    std::array<int, 100> hits{};
    const std::vector<uint32_t> images = order(5, epoch, kCount);
    for (uint32_t i = 0; i < kCount; ++i) ++hits[i / kTenth * 10 + images[i] / kTenth];
    double chi_square = 0;
    for (const int hit : hits) chi_square += (hit - kExpected) * (hit - kExpected) / kExpected;
    EXPECT_TRUE(chi_square > 30 && chi_square < 135) << chi_square;  // 81 expected, deviation 13
  }
}

TEST(Permutation, AnImageMovesEvenlyOverTheEpochs) {
  constexpr uint32_t kImages = 20;
  constexpr uint32_t kEach = 500;
  std::array<int, kImages> hits{};
  for (uint32_t epoch = 1; epoch <= kImages * kEach; ++epoch) {
    ++hits[Permutation(11, epoch, kImages)(0)];
  }
  double chi_square = 0;
  for (const int hit : hits) chi_square += std::pow(hit - int(kEach), 2) / kEach;
  EXPECT_TRUE(chi_square < 50) << chi_square;  // 19 expected, deviation 6
}

}  // namespace
}  // namespace digitron
