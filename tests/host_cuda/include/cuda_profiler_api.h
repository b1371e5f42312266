// Stand-in for <cuda_profiler_api.h>: what a program tells a profiler that waits for it.
#pragma once

#include <cuda_types.h>

cudaError_t cudaProfilerStart();
cudaError_t cudaProfilerStop();
