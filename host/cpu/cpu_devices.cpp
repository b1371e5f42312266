// The CPU as one of the devices.
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "host/cpu/arch.h"
#include "host/cpu/ceilings.h"
#include "host/cpu/cpu_engine.h"

namespace digitron {

namespace {

int usable_cores() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// asked: 0 is every core.
int thread_count(int asked) {
  return asked > 0 ? asked : usable_cores();
}

// Floats of an array that no cache holds, as far as the system tells how large the last one is;
// what it says of a virtual machine's may be a whole server's.
size_t floats_beyond_cache() {
  constexpr long kLeast = 64l << 20, kMost = 256l << 20;
  return static_cast<size_t>(std::clamp(sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost)) /
         sizeof(float);
}

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads) {
  return std::make_unique<CpuEngine>(plan, thread_count(threads), *runnable_cpu_kernels().front());
}

std::vector<DeviceReport> cpu_devices() {
  std::string sets;
  for (const CpuKernels* kernels : runnable_cpu_kernels()) {
    sets += (sets.empty() ? "" : ", ") + std::string(kernels->name);
  }
  return {{"cpu",
           std::to_string(usable_cores()) + " cores, " + runnable_cpu_kernels().front()->name +
               " kernels (this machine runs " + sets + ")",
           true}};
}

Ceilings cpu_ceilings(int threads) {
  return measure_cpu_ceilings(*runnable_cpu_kernels().front(), thread_count(threads),
                              floats_beyond_cache(), 0.2);
}

}  // namespace digitron
