// The arrays behind `extern __shared__`: as many bytes as the launch asked for, poisoned.
#pragma once

#include <cstddef>

namespace host_cuda {

void prepare_dynamic_shared(size_t bytes);
void release_dynamic_shared();

}  // namespace host_cuda
