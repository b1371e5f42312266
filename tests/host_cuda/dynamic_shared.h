// The arrays behind `extern __shared__`: as many bytes as the launch asked for, poisoned.
#pragma once

#include <cstddef>
#include <vector>

namespace host_cuda {

// Those of the calling host thread.
std::vector<std::byte*> dynamic_shared_arrays();

// For the block that begins on this host thread.
void prepare_dynamic_shared(size_t bytes);
void release_dynamic_shared();

}  // namespace host_cuda
