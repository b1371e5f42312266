// What an asynchronous copy reads of pageable host memory. A real device may read it at any moment
// until the next wait for the stream, so it must live and stay as it is until then.
#pragma once

#include <cuda_runtime_api.h>
#include "tests/host_cuda/memory.h"

namespace host_cuda {

// A copy on the stream reads the range.
void note_pageable_read(cudaStream_t stream, Range range);

// At a wait for the stream, or with all_streams for the device: what has been read is still there.
// If not, the device is lost, and the answer is its error.
cudaError_t check_pageable_reads(cudaStream_t stream, bool all_streams = false);

void forget_pageable_reads();

}  // namespace host_cuda
