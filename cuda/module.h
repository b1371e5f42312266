// What libdigitron_cuda.so offers to the program, which loads it only where there is a driver: so
// a run on the CPU pays nothing for libraries of a gigabyte, and the program starts, and can say
// what is missing, on machines that have none of them. Knows no CUDA header.
#pragma once

#include <vector>

#include "host/engine.h"

namespace digitron {

struct CudaModule {
  EngineOrReason (*make_engine)(const Plan& plan, int device, const CudaOptions& options);
  std::vector<DeviceReport> (*devices)();
};

}  // namespace digitron

extern "C" const digitron::CudaModule digitron_cuda_module;
