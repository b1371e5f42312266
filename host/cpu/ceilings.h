// The most arithmetic and the most memory traffic that threads of this machine get done.
#pragma once

#include "host/core/devices.h"
#include "host/cpu/kernels.h"

namespace digitron {

// The best of what fits into `seconds` for each of the two: fused multiply-adds on registers (or
// what the instruction set has instead), and a triad a = b + s * c over arrays of `floats` floats,
// each counted once. Throws std::bad_alloc.
Ceilings measure_cpu_ceilings(const CpuKernels& kernels, int threads, size_t floats,
                              double seconds);

}  // namespace digitron
