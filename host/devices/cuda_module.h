// Opens the CUDA module; make_cuda_engine and cuda_devices of core/devices.h go through it.
#pragma once

#include "host/core/devices.h"

namespace digitron {

// Calls the module's start where it loads.
void start_cuda(int device);

// Calls the module's, where it loads.
void start_cuda_profiler();
void stop_cuda_profiler();
void open_cuda_trace();
std::vector<TraceEvent> close_cuda_trace();  // empty where none is open

// Whether this machine has an NVIDIA driver, that is, a libcuda.so.1 that loads.
bool has_cuda_driver();

}  // namespace digitron
