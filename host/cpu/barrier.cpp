#include "host/cpu/barrier.h"

#include "host/cpu/arch.h"

namespace digitron {

namespace {

// A thread's, for all the barriers that it comes to: whether threads have cores is no barrier's.
thread_local Patience patience;

}  // namespace

void Barrier::meet(int threads) {
  using Clock = Patience::Clock;
  if (threads == 1) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    last_came_ = Clock::now();
    waiting_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  const Clock::time_point came = Clock::now();
  const Clock::time_point spins_until = patience.spins_until(came);
  while (generation_.load(std::memory_order_acquire) == generation) {
    if (Clock::now() >= spins_until) {
      generation_.wait(generation, std::memory_order_acquire);
      break;
    }
    spin_pause();
  }
  patience.waited(came, last_came_);
}

}  // namespace digitron
