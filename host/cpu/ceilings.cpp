#include "host/cpu/ceilings.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "host/cpu/aligned.h"
#include "host/cpu/thread_team.h"

namespace digitron {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of work(worker) on all threads of the team, from where the last one begins to where it ends.
template <class F>
double seconds_of(ThreadTeam& team, const F& work) {
  double seconds = 0;
  team.run([&](Worker worker) {
    team.barrier();
    const Clock::time_point start = Clock::now();
    work(worker);
    team.barrier();
    if (worker.index == 0) seconds = since(start);
  });
  return seconds;
}

// The least of all that fit into `budget` seconds, at least three.
template <class F>
double least_seconds(ThreadTeam& team, double budget, const F& work) {
  double least = std::numeric_limits<double>::infinity();
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < 3 || since(start) < budget; ++run) {
    least = std::min(least, seconds_of(team, work));
  }
  return least;
}

double multiply_add_rate(const CpuKernels& kernels, ThreadTeam& team, double budget) {
  const auto threads = static_cast<size_t>(team.size());
  const AlignedArray<float> sums = make_aligned<float>(threads * kSumFloats);
  for (size_t i = 0; i < threads * kSumFloats; ++i) sums[i] = static_cast<float>(i % kSumFloats);
  // A run takes about a millisecond: long beside a barrier, and short enough that some run through
  // on a busy machine.
  constexpr int64_t kRounds = 100'000;
  std::vector<int64_t> flops(threads);
  const double seconds = least_seconds(team, budget, [&](Worker worker) {
    const auto t = static_cast<size_t>(worker.index);
    flops[t] = kernels.multiply_adds(sums.get() + t * kSumFloats, kRounds);
  });
  return static_cast<double>(flops[0]) * static_cast<double>(threads) / seconds;
}

// Each thread has its part of every array, and is the first to touch it.
double triad_rate(const CpuKernels& kernels, ThreadTeam& team, size_t floats, double budget) {
  const auto threads = static_cast<size_t>(team.size());
  const size_t page = 4096 / sizeof(float);
  const size_t part = (floats / threads + page) / page * page;
  const size_t bytes = 3 * part * threads * sizeof(float);
  const AlignedArray<float> memory(static_cast<float*>(std::aligned_alloc(4096, bytes)));
  if (!memory) throw std::bad_alloc();
  const auto part_of = [&](Worker worker) {
    return memory.get() + 3 * part * static_cast<size_t>(worker.index);
  };
  team.run([&](Worker worker) { std::fill_n(part_of(worker), 3 * part, 1.0f); });
  const double seconds = least_seconds(team, budget, [&](Worker worker) {
    float* a = part_of(worker);
    kernels.triad(a, a + part, a + 2 * part, 0.5f, static_cast<std::ptrdiff_t>(part));
  });
  return static_cast<double>(bytes) / seconds;
}

}  // namespace

Ceilings measure_cpu_ceilings(const CpuKernels& kernels, int threads, size_t floats,
                              double seconds) {
  ThreadTeam team(threads);
  const std::string on = std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  return {.flops_per_second = multiply_add_rate(kernels, team, seconds),
          .bytes_per_second = triad_rate(kernels, team, floats, seconds),
          .compute = std::string("multiply-adds, ") + kernels.name + ", " + on,
          .memory = "triad of 3 x " + std::to_string(floats * sizeof(float) >> 20) + " MiB, " + on};
}

}  // namespace digitron
