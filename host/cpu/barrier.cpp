#include "host/cpu/barrier.h"

#include "host/cpu/arch.h"

namespace digitron {

namespace {

// Some microseconds. More of them gain nothing where each thread has a core, and elsewhere take the
// core from the thread that they wait for: README.md has figures.
constexpr int kSpins = 100;

}  // namespace

void Barrier::meet(int threads) {
  if (threads == 1) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    waiting_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  for (int spins = 0; spins < kSpins; ++spins) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    spin_pause();
  }
  generation_.wait(generation, std::memory_order_acquire);
}

}  // namespace digitron
