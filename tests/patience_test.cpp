#include "host/cpu/patience.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace digitron {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A thread that waits, on a clock of its own.
struct Waiting {
  Patience patience;
  Patience::Clock::time_point now{seconds(1000)};

  bool would_spin() const { return patience.spins_until(now) > now; }
  void wait(Patience::Clock::duration duration) {
    patience.waited(now, now + duration);
    now += duration;
  }
  // How long the thread then sleeps at once, to a tenth of the shortest time.
  Patience::Clock::duration sleeps() const {
    Waiting later = *this;
    while (!later.would_spin()) later.now += Patience::kShortest / 10;
    return later.now - now;
  }
};

TEST(Patience, SpinsForAsLongAsItIsWorth) {
  Waiting thread;
  EXPECT_EQ(thread.patience.spins_until(thread.now), thread.now + Patience::kSpinning);
}

// As between two threads that have a core each, of which one is slower.
TEST(Patience, GoesOnSpinningWhereWaitsAreShort) {
  Waiting thread;
  for (int i = 0; i < 1000; ++i) {
    thread.wait(microseconds(30));
    ASSERT_TRUE(thread.would_spin()) << i;
  }
}

TEST(Patience, SleepsAtOnceForATimeAfterALongWait) {
  Waiting thread;
  thread.wait(milliseconds(3));
  EXPECT_FALSE(thread.would_spin());
  EXPECT_EQ(thread.sleeps(), Patience::kShortest);
}

// Where threads share cores, trials to spin become as rare as once a second.
TEST(Patience, SleepsForLongerEachTimeThatSpinningIsSoonInVain) {
  Waiting thread;
  Patience::Clock::duration expected = Patience::kShortest;
  for (int i = 0; i < 15; ++i) {
    thread.wait(milliseconds(3));
    ASSERT_EQ(thread.sleeps(), expected) << i;
    expected = std::min(2 * expected, Patience::kLongest);
    thread.now += thread.sleeps();
  }
  EXPECT_EQ(thread.sleeps(), Patience::Clock::duration{0});
  EXPECT_EQ(expected, Patience::kLongest);
}

TEST(Patience, ForgetsWhatItHasLearntWhenAllIsCalm) {
  Waiting thread;
  for (int i = 0; i < 6; ++i) {
    thread.wait(milliseconds(3));
    thread.now += thread.sleeps();
  }
  thread.now += Patience::kCalm + milliseconds(1);
  thread.wait(milliseconds(3));
  EXPECT_EQ(thread.sleeps(), Patience::kShortest);
}

// A thread that sleeps learns nothing of spinning.
TEST(Patience, LongWaitsWhileItSleepsDoNotCount) {
  Waiting thread;
  thread.wait(milliseconds(3));
  const Patience::Clock::time_point end = thread.now + thread.sleeps();
  while (thread.now + microseconds(300) < end) thread.wait(microseconds(300));
  EXPECT_EQ(thread.now + thread.sleeps(), end);
}

}  // namespace
}  // namespace digitron
