// One block of a kernel: its threads take turns on one host thread, and meet at barriers and in
// warp operations.
#pragma once

#include <functional>
#include <string>

#include <cuda_runtime_api.h>

namespace host_cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared_bytes;
};

// Runs every block, one after another, in the order that set_order chose. Returns what went wrong
// in words, or nothing; the blocks after that do not run.
//
// Under ThreadSanitizer every device thread is a thread of its own, and only barriers order them,
// so a barrier left out is reported as a data race, whatever the order in which they run.
std::string run_grid(const LaunchShape& shape, const std::function<void()>& thread);

}  // namespace host_cuda
