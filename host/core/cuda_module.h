// The CUDA engine is a module, libdigitron_cuda.so beside the program, which opens it only where
// there is a driver: so a run on the CPU pays nothing for libraries of a gigabyte, and the program
// starts, and can say what is missing, on machines that have none of them. This is what the two
// share; it knows no CUDA header.
#pragma once

#include <vector>

#include "host/core/devices.h"

namespace digitron {

// What the module offers, under the name digitron_cuda_module. What is thrown inside it, InputError
// and MachineError among it, is caught outside.
struct CudaModule {
  // Loads the libraries and starts them on the device, so that make_engine finds it done; for
  // another thread than make_engine's. Says nothing of errors: make_engine meets them again.
  void (*start)(int device);
  EngineOrReason (*make_engine)(const Plan& plan, int device, const CudaOptions& options);
  std::vector<DeviceReport> (*devices)();
};

}  // namespace digitron
