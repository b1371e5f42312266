// The CPU as one of the devices.
#include <unistd.h>

#include <algorithm>

#include "host/core/views.h"
#include "host/cpu/arch.h"
#include "host/cpu/ceilings.h"
#include "host/cpu/cpu_engine.h"
#include "host/cpu/free_memory.h"
#include "host/cpu/usable_cores.h"

namespace digitron {

namespace {

// Floats of an array that no cache holds, as far as the system tells how large the last one is;
// what it says of a virtual machine's may be a whole server's.
size_t floats_beyond_cache() {
  constexpr long kLeast = 64l << 20, kMost = 128l << 20;
  return static_cast<size_t>(std::clamp(sysconf(_SC_LEVEL3_CACHE_SIZE), kLeast, kMost)) /
         sizeof(float);
}

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads) {
  const ThreadRequest request = threads > 0 ? ThreadRequest(threads) : usable_cores();
  require_memory(cpu_engine_bytes(plan, request),
                 plan.model.name + " at batch " + std::to_string(plan.batch));
  return with_views(std::make_unique<CpuEngine>(plan, request, *runnable_cpu_kernels().front()));
}

std::vector<DeviceReport> cpu_devices() {
  std::string sets;
  for (const CpuKernels* kernels : runnable_cpu_kernels()) {
    sets += (sets.empty() ? "" : ", ") + std::string(kernels->name);
  }
  const UsableCores cores = usable_cores();
  const int threads = cores.count();
  return {{"cpu",
           std::to_string(threads) + (threads == 1 ? " thread: " : " threads: ") + cores.text() +
               "; " + runnable_cpu_kernels().front()->name + " kernels (this machine runs " + sets +
               ")",
           true}};
}

Ceilings cpu_ceilings(int threads) {
  return measure_cpu_ceilings(*runnable_cpu_kernels().front(),
                              threads > 0 ? threads : usable_cores().count(), floats_beyond_cache(),
                              0.2);
}

}  // namespace digitron
