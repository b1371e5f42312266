// The most arithmetic and the most memory traffic that a GPU gets done.
#pragma once

#include "host/core/devices.h"

namespace digitron {

// A product of square matrices, in the precision that the options ask for, and a copy on the
// device, each as large as takes a millisecond, at its best of several. Makes the device the
// calling thread's. Throws MachineError.
Ceilings measure_cuda_ceilings(int device, const CudaOptions& options);

}  // namespace digitron
