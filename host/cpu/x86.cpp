#include "host/cpu/arch.h"

namespace digitron {

namespace avx512 {
extern const CpuKernels kernels;
}
namespace avx2 {
extern const CpuKernels kernels;
}
namespace baseline {
extern const CpuKernels kernels;
}

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
std::vector<const CpuKernels*> runnable_cpu_kernels() {
  std::vector<const CpuKernels*> sets;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    sets.push_back(&avx512::kernels);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(&avx2::kernels);
  }
  sets.push_back(&baseline::kernels);
  return sets;
}

void spin_pause() {
  __builtin_ia32_pause();
}

}  // namespace digitron
