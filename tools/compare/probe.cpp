// What the machine is like right now, as a line of JSON: a core's multiply-adds a second on
// registers, and how long a cache line takes from one core to another and back, halved. A machine
// that other guests share changes in both, and epochs are to be told apart by it. For
// tools/compare_cpu.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

using Vector __attribute__((vector_size(64))) = float;

template <class Work>
double least_seconds(int repeats, Work work) {
  double least = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    least = std::min(
        least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return least;
}

// GFLOP/s; ten chains, since a multiply-add takes four or five clocks and two begin in each.
double multiply_adds() {
  constexpr int kSteps = 100'000;
  std::array<Vector, 10> sums{};
  const Vector factor = Vector{} + 0.5F;
  const double seconds = least_seconds(20, [&] {
    for (int i = 0; i < kSteps; ++i) {
      for (Vector& sum : sums) sum = sum * factor + factor;
    }
    for (const Vector& sum : sums) asm volatile("" : : "m"(sum));
  });
  return 2.0 * 16 * sums.size() * kSteps / seconds * 1e-9;
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Nanoseconds one way.
double ping_pong(int first, int second) {
  constexpr int kTurns = 2'000, kRepeats = 20;
  alignas(128) std::atomic<int> turn = 0;
  std::thread answers([&] {
    pin(second);
    for (int i = 0; i < kTurns * kRepeats; ++i) {
      while (turn.load(std::memory_order_acquire) != 2 * i + 1) continue;
      turn.store(2 * i + 2, std::memory_order_release);
    }
  });
  pin(first);
  int next = 0;
  const double seconds = least_seconds(kRepeats, [&] {
    for (int i = 0; i < kTurns; ++i, next += 2) {
      turn.store(next + 1, std::memory_order_release);
      while (turn.load(std::memory_order_acquire) != next + 2) continue;
    }
  });
  answers.join();
  return seconds / (2 * kTurns) * 1e9;
}

}  // namespace

int main() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  std::printf("{\"gflops\": %.1f", multiply_adds());
  if (cpus.size() > 1) std::printf(", \"ping_pong_ns\": %.0f", ping_pong(cpus[0], cpus[1]));
  std::printf("}\n");
}
