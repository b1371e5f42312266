// Whether a thread that waits for others spins or sleeps. Where each has a core, the others are
// microseconds away, and to sleep and be woken costs ten times that (30 us at each meeting on a
// virtual machine). Where they share cores, to spin keeps the one that is waited for from running.
// Only waits tell which it is: one that outlasts the spinning says that somebody had no core.
#pragma once

#include <algorithm>
#include <chrono>

namespace digitron {

class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  // The most that is worth spinning for: a few times what to sleep and be woken costs.
  static constexpr Clock::duration kSpinning = std::chrono::microseconds(200);
  // After a wait that was longer, the thread sleeps at once for this time, and for twice the last
  // one where spinning has not been worth it for long since.
  static constexpr Clock::duration kShortest = std::chrono::milliseconds(1);
  static constexpr Clock::duration kLongest = std::chrono::seconds(1);
  // Longer than schedulers let one of two threads on a core run before the other.
  static constexpr Clock::duration kCalm = std::chrono::milliseconds(20);

  // A thread that begins to wait now spins until then.
  Clock::time_point spins_until(Clock::time_point now) const {
    return now < sleeps_until_ ? now : now + kSpinning;
  }

  // What a thread that has begun to wait at `from` learns, when the last of the others came at
  // `to`.
  void waited(Clock::time_point from, Clock::time_point to) {
    if (from < sleeps_until_ || to - from <= kSpinning) return;
    const bool calm = from - sleeps_until_ > kCalm;
    pause_ = calm ? kShortest : std::min(2 * pause_, kLongest);
    sleeps_until_ = to + pause_;
  }

 private:
  Clock::time_point sleeps_until_{};
  Clock::duration pause_ = kShortest;
};

}  // namespace digitron
