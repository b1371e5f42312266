#include "host/cpu/barrier.h"

#include "host/cpu/arch.h"

namespace digitron {

void Barrier::meet(int threads) {
  if (threads == 1) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    waiting_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  constexpr int kSpins = 4000;  // some tens of microseconds
  for (int spins = 0; spins < kSpins; ++spins) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    spin_pause();
  }
  generation_.wait(generation, std::memory_order_acquire);
}

}  // namespace digitron
