#include "host/cpu/thread_tuner.h"

#include <gmock/gmock.h>

#include <functional>
#include <random>

namespace digitron {
namespace {

using ::testing::ElementsAre;

// A machine on which a step takes so many seconds: of the threads, and of the steps' number.
using Machine = std::function<double(int threads, int step)>;

// A training on it.
class TunedRun {
 public:
  TunedRun(int most, Machine machine) : tuner_(thread_counts(most)), machine_(std::move(machine)) {}

  // Goes on for so many steps, as an engine does that is called for 100 at a time; returns their
  // seconds.
  double go_on(int steps) {
    double sum = 0;
    std::vector<double> seconds;
    for (const int end = step_ + steps; step_ < end;) {
      const int call_end = std::min(end, (step_ / 100 + 1) * 100);
      seconds.clear();
      const int threads = tuner_.threads();
      const auto piece = int(std::min(tuner_.steps(), size_t(call_end - step_)));
      for (int i = 0; i < piece; ++i) seconds.push_back(machine_(threads, step_++));
      const int before = tuner_.fastest();
      tuner_.took(seconds);
      changes_ += tuner_.fastest() != before;
      for (const double each : seconds) sum += each;
    }
    return sum;
  }

  int fastest() const { return tuner_.fastest(); }
  int changes() const { return changes_; }

 private:
  ThreadTuner tuner_;
  Machine machine_;
  int step_ = 0;
  int changes_ = 0;
};

constexpr double kStep = 0.6e-3;  // of one thread

double ideal(int threads, int /*step*/) {
  return kStep / threads;
}

// 2 % up and down, and 3 ms more in one of 500 steps.
Machine with_noise(Machine machine) {
  return
      [machine = std::move(machine), random = std::minstd_rand(1)](int threads, int step) mutable {
        const double noise = 0.98 + 0.04 * double(random() % 1000) / 1000;
        return machine(threads, step) * noise + (random() % 500 == 0 ? 3e-3 : 0);
      };
}

// Two threads beside a busy loop: nine steps are fast, and in the tenth a thread has no core.
double beside_a_busy_loop(int threads, int step) {
  if (threads == 1) return kStep;
  return step % 10 == 9 ? 11 * kStep : kStep / 2;
}

// As many cores as threads up to `cores`; beyond, each step waits.
Machine cores(int count) {
  return [count](int threads, int) { return threads <= count ? kStep / threads : threads * kStep; };
}

TEST(ThreadTunerTest, CountsDouble) {
  EXPECT_THAT(thread_counts(1), ElementsAre(1));
  EXPECT_THAT(thread_counts(2), ElementsAre(1, 2));
  EXPECT_THAT(thread_counts(8), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(thread_counts(11), ElementsAre(1, 2, 4, 8, 11));
}

TEST(ThreadTunerTest, OneCountIsKept) {
  ThreadTuner tuner({3});
  EXPECT_EQ(tuner.threads(), 3);
  EXPECT_EQ(tuner.steps(), std::numeric_limits<size_t>::max());
  tuner.took(std::vector<double>(100, 1.0));
  EXPECT_EQ(tuner.threads(), 3);
  EXPECT_TRUE(tuner.is_most());
}

TEST(ThreadTunerTest, WhereAllHelpTrialsCostLittle) {
  for (const int threads : {2, 4, 16}) {
    TunedRun run(threads, ideal);
    EXPECT_LE(run.go_on(900), 1.02 * 900 * kStep / threads) << threads;
    EXPECT_LE(run.go_on(100000), 1.02 * 100000 * kStep / threads) << threads;
    EXPECT_EQ(run.changes(), 0) << threads;
  }
}

TEST(ThreadTunerTest, LongStepsAreTriedSparingly) {
  TunedRun run(2, [](int threads, int) { return 0.04 / threads; });
  EXPECT_LE(run.go_on(5000), 1.02 * 5000 * 0.04 / 2);
  EXPECT_EQ(run.fastest(), 2);
}

TEST(ThreadTunerTest, FewerThreadsThatAreFasterAreFoundAtOnce) {
  TunedRun run(2, [](int threads, int) { return threads == 1 ? kStep : 2 * kStep; });
  EXPECT_LE(run.go_on(900), 1.06 * 900 * kStep);
  EXPECT_LE(run.go_on(100000), 1.02 * 100000 * kStep);
  EXPECT_EQ(run.fastest(), 1);
}

TEST(ThreadTunerTest, AThreadThatIsOftenWithoutACoreIsLeftOut) {
  TunedRun run(2, beside_a_busy_loop);
  run.go_on(900);
  EXPECT_EQ(run.fastest(), 1);
  EXPECT_LE(run.go_on(100000), 1.02 * 100000 * kStep);
}

TEST(ThreadTunerTest, ManyThreadsShrinkToTheFreeCores) {
  for (const int free : {1, 2, 4, 8, 16}) {
    TunedRun run(16, cores(free));
    run.go_on(2000);
    EXPECT_EQ(run.fastest(), free);
  }
}

TEST(ThreadTunerTest, FollowsNeighboursThatComeAndGo) {
  constexpr int kTurn = 20000;
  TunedRun run(2, [](int threads, int step) {
    return step / kTurn % 2 == 0 ? ideal(threads, step) : beside_a_busy_loop(threads, step);
  });
  for (int turn = 0; turn < 10; ++turn) {
    const int best = turn % 2 == 0 ? 2 : 1;
    EXPECT_LE(run.go_on(kTurn), 1.15 * kTurn * kStep / best) << turn;
    EXPECT_EQ(run.fastest(), best) << turn;
  }
}

TEST(ThreadTunerTest, ASlowStateCostsLittleMoreThanOneThread) {
  // 65 us more a step that two threads make, as long as it lasts.
  constexpr int kTurn = 20000;
  constexpr double kMlpStep = 117e-6;
  TunedRun run(2, [](int threads, int step) {
    if (threads == 1) return kMlpStep;
    return kMlpStep / 2 + (step / kTurn % 2 == 0 ? 0 : 65e-6);
  });
  for (int turn = 0; turn < 10; ++turn) {
    const double best = turn % 2 == 0 ? kMlpStep / 2 : kMlpStep;
    EXPECT_LE(run.go_on(kTurn), 1.15 * kTurn * best) << turn;
  }
}

TEST(ThreadTunerTest, NoiseChangesNothing) {
  TunedRun equal(2, with_noise([](int, int) { return kStep; }));
  EXPECT_LE(equal.go_on(100000), 1.02 * 100000 * (kStep + 3e-3 / 500));
  EXPECT_LE(equal.changes(), 20);  // of some 500 trials
  TunedRun unlike(2, with_noise(ideal));
  EXPECT_LE(unlike.go_on(100000), 1.03 * 100000 * (kStep / 2 + 3e-3 / 500));
  EXPECT_LE(unlike.changes(), 2);
}

}  // namespace
}  // namespace digitron
