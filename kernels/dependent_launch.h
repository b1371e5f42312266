// Kernels that start before the one in front of them has ended (programmatic dependent launch,
// compute capability 9.0 and later), and the one rule for it.
#pragma once

#include <cuda_runtime.h>
#include <nv/target>

namespace digitron {

// Waits until the kernel in front has ended and its memory is there, then lets the kernel behind
// start. In that order: a kernel that runs at all then knows that all kernels before the one in
// front of it have ended. The other way round the second weight pass could read the weights that
// the first still writes. A kernel that was not launched early has nothing to wait for.
__device__ inline void wait_for_kernel_in_front() {
  NV_IF_TARGET(NV_PROVIDES_SM_90,
               (cudaGridDependencySynchronize(); cudaTriggerProgrammaticLaunchCompletion();))
}

}  // namespace digitron
