#include "host/bench/rank_test.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace digitron {

namespace {

constexpr size_t kMostExact = 20;  // values of each sample

// Ranks from 1 on, doubled: equal values share the mean of their ranks, which may be a half.
std::vector<int> doubled_ranks(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> ranks;
  ranks.reserve(values.size());
  for (const double value : values) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
    ranks.push_back(static_cast<int>(first - sorted.begin() + 1 + (last - sorted.begin())));
  }
  return ranks;
}

// Of all ways to draw `count` of the ranks, the part that sums to `most` or less.
double exact_lower_tail(std::span<const int> ranks, size_t count, int most) {
  const auto sums = static_cast<size_t>(most) + 1;
  // ways[k][s]: to draw k of the ranks so far with the sum s.
  std::vector<std::vector<double>> ways(count + 1, std::vector<double>(sums, 0.0));
  ways[0][0] = 1;
  double all = 1;  // ways to draw `count`, whatever their sum: a binomial coefficient
  for (size_t i = 0; i < ranks.size(); ++i) {
    const auto rank = static_cast<size_t>(ranks[i]);
    for (size_t k = std::min(count, i + 1); k > 0; --k) {
      for (size_t s = rank; s < sums; ++s) ways[k][s] += ways[k - 1][s - rank];
    }
    if (i < count) all *= static_cast<double>(ranks.size() - i) / static_cast<double>(i + 1);
  }
  return std::accumulate(ways[count].begin(), ways[count].end(), 0.0) / all;
}

// The same by the normal distribution of that mean and variance, which ties lower.
double normal_lower_tail(std::span<const int> ranks, size_t count, int most) {
  const auto all = static_cast<double>(ranks.size());
  const auto drawn = static_cast<double>(count);
  const double mean = std::accumulate(ranks.begin(), ranks.end(), 0.0) / all;
  double squares = 0;
  for (const int rank : ranks) squares += (rank - mean) * (rank - mean);
  const double variance = drawn * (all - drawn) / all * squares / (all - 1);
  if (!(variance > 0)) return 1;     // all values are equal
  constexpr double kContinuity = 1;  // half a rank, doubled
  const double z = (most + kContinuity - drawn * mean) / std::sqrt(variance);
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

double lower_tail(std::span<const int> ranks, size_t count, int most) {
  if (most < 0) return 0;
  const bool exact = std::max(count, ranks.size() - count) <= kMostExact;
  return exact ? exact_lower_tail(ranks, count, most) : normal_lower_tail(ranks, count, most);
}

std::vector<double> sorted_ratios(std::span<const double> a, std::span<const double> b) {
  std::vector<double> ratios;
  ratios.reserve(a.size() * b.size());
  for (const double over : b) {
    for (const double under : a) ratios.push_back(over / under);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

// P(U <= u) where nothing is tied. U is the rank sum less the least there can be.
double u_lower_tail(size_t a, size_t b, int u) {
  std::vector<int> ranks(a + b);
  for (size_t i = 0; i < ranks.size(); ++i) ranks[i] = 2 * static_cast<int>(i + 1);
  return lower_tail(ranks, b, u < 0 ? -1 : static_cast<int>(b * (b + 1)) + 2 * u);
}

// Each rank counts or not, by the toss of a coin: the chance of every sum of those that do, up to
// `most`.
std::vector<double> signed_rank_chances(std::span<const int> ranks, int most) {
  std::vector<double> chances(static_cast<size_t>(most) + 1, 0.0);
  chances[0] = 1;
  for (const int each : ranks) {
    const auto rank = static_cast<size_t>(each);
    for (size_t s = chances.size(); s-- > 0;) {
      chances[s] = (chances[s] + (s < rank ? 0 : chances[s - rank])) / 2;
    }
  }
  return chances;
}

// Of all two of them, each with itself too.
std::vector<double> sorted_means(std::span<const double> values) {
  std::vector<double> means;
  means.reserve(values.size() * (values.size() + 1) / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t j = i; j < values.size(); ++j) means.push_back((values[i] + values[j]) / 2);
  }
  std::sort(means.begin(), means.end());
  return means;
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  std::vector<double> both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  const std::vector<int> ranks = doubled_ranks(both);
  const auto middle = ranks.begin() + static_cast<std::ptrdiff_t>(a.size());
  const int sum_a = std::accumulate(ranks.begin(), middle, 0);
  const int sum_b = std::accumulate(middle, ranks.end(), 0);
  return std::min(
      {1.0, 2 * lower_tail(ranks, a.size(), sum_a), 2 * lower_tail(ranks, b.size(), sum_b)});
}

double least_p(size_t a, size_t b) {
  return std::min(1.0, 2 * u_lower_tail(a, b, 0));
}

double ratio_estimate(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> ratios = sorted_ratios(a, b);
  const size_t above = ratios.size() / 2;
  return std::sqrt(ratios[(ratios.size() - 1) / 2]) * std::sqrt(ratios[above]);
}

std::optional<Interval> ratio_interval(std::span<const double> a, std::span<const double> b) {
  // How many ratios at either end are ruled out: those u below which U falls too seldom.
  size_t least = 0;
  size_t most = a.size() * b.size() / 2;
  while (least < most) {
    const size_t middle = least + (most - least) / 2;
    const bool seldom =
        2 * u_lower_tail(a.size(), b.size(), static_cast<int>(middle)) <= 1 - kConfidence;
    if (seldom) {
      least = middle + 1;
    } else {
      most = middle;
    }
  }
  if (least == 0) return std::nullopt;
  const std::vector<double> ratios = sorted_ratios(a, b);
  return Interval{ratios[least - 1], ratios[ratios.size() - least]};
}

double signed_rank_p(std::span<const double> differences) {
  std::vector<double> sizes;
  for (const double difference : differences) {
    if (difference != 0) sizes.push_back(std::abs(difference));
  }
  const std::vector<int> ranks = doubled_ranks(sizes);
  int above = 0, below = 0;
  auto rank = ranks.begin();
  for (const double difference : differences) {
    if (difference != 0) (difference > 0 ? above : below) += *rank++;
  }
  const std::vector<double> tail = signed_rank_chances(ranks, std::min(above, below));
  return std::min(1.0, 2 * std::accumulate(tail.begin(), tail.end(), 0.0));
}

double least_signed_rank_p(size_t count) {
  return std::min(1.0, std::ldexp(1.0, 1 - static_cast<int>(count)));
}

double walsh_median(std::span<const double> differences) {
  const std::vector<double> means = sorted_means(differences);
  return std::midpoint(means[(means.size() - 1) / 2], means[means.size() / 2]);
}

std::optional<Interval> walsh_interval(std::span<const double> differences) {
  const std::vector<double> means = sorted_means(differences);
  std::vector<int> ranks(differences.size());
  std::iota(ranks.begin(), ranks.end(), 1);
  // How many means at either end are ruled out: those sums of ranks that come too seldom.
  size_t least = 0;
  double tail = 0;
  for (const double chance : signed_rank_chances(ranks, static_cast<int>(means.size() / 2))) {
    tail += chance;
    if (2 * tail > 1 - kConfidence) break;
    ++least;
  }
  if (least == 0) return std::nullopt;
  return Interval{means[least - 1], means[means.size() - least]};
}

}  // namespace digitron
