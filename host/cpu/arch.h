// What depends on the processor's architecture: which kernels it can run, and how it waits. CMake
// builds x86.cpp on x86-64 and portable.cpp elsewhere.
#pragma once

#include <vector>

#include "host/cpu/kernels.h"

namespace digitron {

// Every set of kernels that this machine can run, the fastest first.
std::vector<const CpuKernels*> runnable_cpu_kernels();

// Tells the processor that this is a spinning wait.
void spin_pause();

}  // namespace digitron
