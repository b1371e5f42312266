// How often compare is right about benches of a machine that is never quite quiet.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "host/bench/compare.h"
#include "host/files/json.h"
#include "host/text/statistics.h"

namespace digitron {
namespace {

// A bench on a shared machine, as five fresh processes see it: they differ by 0.8 %, one in thirty
// falls into a slow state, and from one bench to the next the whole machine drifts by 0.3 %.
class NoisyMachine {
 public:
  BenchFile bench(size_t rows, double factor) {
    BenchFile file;
    file.machine = file.build = nlohmann::json::object();
    const double drift = std::exp(0.003 * normal_(random_));
    for (size_t i = 0; i < rows; ++i) {
      MeasuredRow row{std::to_string(i), std::to_string(i), "CPU", {}};
      for (int repeat = 0; repeat < 5; ++repeat) {
        const double noise = std::exp(0.008 * normal_(random_));
        const double state = uniform_(random_) < 1.0 / 30 ? 1.05 + 0.3 * uniform_(random_) : 1;
        row.repeats.push_back({341e-6 * factor * drift * noise * state, false});
      }
      file.rows.push_back(row);
    }
    return file;
  }

 private:
  std::mt19937_64 random_{14};
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
};

// A core whose speed changes by 1.4 every third of a second or so, measured by two processes a pair
// that take turns of 0.02 s; a turn's median is of the state that held for longer.
class SwayingMachine {
 public:
  // Two benches of so many pairs, the second slowed by `factor`.
  std::pair<BenchFile, BenchFile> pairs(int count, double factor) {
    MeasuredRow old_row{"0", "0", "CPU", {}};
    MeasuredRow new_row = old_row;
    for (int pair = 0; pair < count; ++pair) {
      pass(0.3);  // both start
      std::array<std::vector<double>, 2> turns;
      const std::array<double, 2> process{step_seconds(), factor * step_seconds()};
      for (int turn = 0; turn < 15; ++turn) {
        for (const int i : {pair % 2, 1 - pair % 2}) {
          const auto which = static_cast<size_t>(i);
          turns.at(which).push_back(process.at(which) * measure());
        }
      }
      old_row.repeats.push_back({median_of(turns[0]), false, turns[0]});
      new_row.repeats.push_back({median_of(turns[1]), false, turns[1]});
    }
    return {file_of(old_row), file_of(new_row)};
  }

 private:
  static BenchFile file_of(const MeasuredRow& row) {
    BenchFile file;
    file.machine = file.build = nlohmann::json::object();
    file.rows.push_back(row);
    return file;
  }

  // Of a process, whose memory lies differently each time.
  double step_seconds() { return 180e-6 * std::exp(0.008 * normal_(random_)); }
  double measure() { return (pass(0.02) > 0.01 ? 1.4 : 1) * std::exp(0.015 * normal_(random_)); }

  // How much of so many seconds the slow state holds.
  double pass(double seconds) {
    double slow = 0;
    while (seconds > 0) {
      const double part = std::min(seconds, left_);
      if (slow_) slow += part;
      seconds -= part;
      left_ -= part;
      if (left_ > 0) continue;
      slow_ = !slow_;
      left_ = stay_(random_);
    }
    return slow;
  }

  std::mt19937_64 random_{15};
  std::normal_distribution<double> normal_;
  std::exponential_distribution<double> stay_{1 / 0.3};  // 0.3 s in the mean
  bool slow_ = false;
  double left_ = stay_(random_);  // seconds until the state changes
};

// How many comparisons of two benches, the second slowed by `factor`, have a row of each verdict.
std::map<Verdict, int> verdicts(int times, size_t rows, double factor) {
  NoisyMachine machine;
  std::map<Verdict, int> count;
  for (int i = 0; i < times; ++i) {
    const BenchFile old_file = machine.bench(rows, 1);
    std::set<Verdict> seen;
    for (const RowComparison& row : compare(old_file, machine.bench(rows, factor), {}).rows) {
      seen.insert(row.verdict);
    }
    for (const Verdict verdict : seen) ++count[verdict];
  }
  return count;
}

// The issue that asked for verdicts allows one wrong in twenty.
TEST(CompareNoiseTest, NothingChangedIsSeldomAVerdict) {
  std::map<Verdict, int> count = verdicts(1000, 1, 1);
  EXPECT_LE(count[Verdict::kSlower] + count[Verdict::kFaster], 20);
  EXPECT_GE(count[Verdict::kSame], 400);
  count = verdicts(200, 6, 1);
  EXPECT_LE(count[Verdict::kSlower] + count[Verdict::kFaster], 4) << "in any of six rows";
}

// A core whose speed changes for seconds at a time, as one that shares its caches with a neighbour
// does: whole benches fall into one state or the other, and repeats are not independent.
TEST(CompareNoiseTest, ASpeedThatSwaysIsNoVerdict) {
  const auto bench = [](std::vector<double> repeats) {
    BenchFile file;
    file.machine = file.build = nlohmann::json::object();
    file.rows.push_back({"0", "0", "CPU", {}});
    for (const double microseconds : repeats) {
      file.rows[0].repeats.push_back({1e-6 * microseconds, false});
    }
    return file;
  };
  const auto fast_first = bench({184, 185, 186, 187, 188, 189, 190, 191, 257, 258});
  const auto slow_first = bench({183, 192, 254, 255, 256, 259, 260, 261, 262, 263});
  const Comparison comparison = compare(fast_first, slow_first, {});
  EXPECT_LE(*comparison.rows[0].p, 0.05);
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::kAmbiguous);
  EXPECT_TRUE(comparison.sways());
  EXPECT_EQ(compare(slow_first, fast_first, {}).rows[0].verdict, Verdict::kAmbiguous);
  const auto twice = bench({368, 370, 372, 374, 376, 378, 380, 382, 514, 516});
  EXPECT_EQ(compare(fast_first, twice, {}).rows[0].verdict, Verdict::kSlower);
}

// Pairs tell what the benches of the same machine, one after the other, do not.
TEST(CompareNoiseTest, PairsTellFivePercentOnAMachineThatSways) {
  SwayingMachine machine;
  std::map<Verdict, int> unchanged, slower, unpaired;
  constexpr int kTimes = 200;
  for (int i = 0; i < kTimes; ++i) {
    const auto [old_file, same] = machine.pairs(12, 1);
    ++unchanged[compare(old_file, same, {.paired = true}).rows[0].verdict];
    const auto [before, after] = machine.pairs(12, 1.05);
    ++slower[compare(before, after, {.paired = true}).rows[0].verdict];
    ++unpaired[compare(before, after, {}).rows[0].verdict];
  }
  EXPECT_LE(unchanged[Verdict::kSlower] + unchanged[Verdict::kFaster], kTimes / 100);
  EXPECT_GE(unchanged[Verdict::kSame], 0.9 * kTimes);
  EXPECT_EQ(slower[Verdict::kSame] + slower[Verdict::kFaster], 0);
  EXPECT_GE(slower[Verdict::kSlower], 0.9 * kTimes);
  EXPECT_GE(unpaired[Verdict::kAmbiguous], 0.95 * kTimes);
}

TEST(CompareNoiseTest, FivePercentAreFound) {
  std::map<Verdict, int> count = verdicts(1000, 1, 1.05);
  EXPECT_GE(count[Verdict::kSlower], 800);
  EXPECT_EQ(count[Verdict::kSame] + count[Verdict::kFaster], 0);
  count = verdicts(1000, 1, 1 / 1.05);
  EXPECT_GE(count[Verdict::kFaster], 800);
  EXPECT_EQ(count[Verdict::kSame] + count[Verdict::kSlower], 0);
}

}  // namespace
}  // namespace digitron
