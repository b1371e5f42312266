#include <thread>

#include "host/cpu/arch.h"

namespace digitron {

namespace baseline {
extern const CpuKernels kernels;
}

std::vector<const CpuKernels*> runnable_cpu_kernels() {
  return {&baseline::kernels};
}

void spin_pause() {
  std::this_thread::yield();
}

}  // namespace digitron
