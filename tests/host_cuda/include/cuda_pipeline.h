// Stand-in for <cuda_pipeline.h>: asynchronous copies from global to shared memory.
#pragma once

#include <cuda_runtime.h>

namespace host_cuda {

void copy_async(void* to, const void* from, size_t bytes, size_t zeros, Site site);
void commit_copies();
void wait_for_copies(size_t commits_left);

}  // namespace host_cuda

// Copies size - zfill bytes and then zfill zeros. size: 4, 8 or 16, and both pointers multiples.
inline void __pipeline_memcpy_async(void* to, const void* from, size_t size, size_t zfill = 0,
                                    const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) {
  host_cuda::copy_async(to, from, size, zfill, {file, line});
}
inline void __pipeline_commit() {
  host_cuda::commit_copies();
}
// Waits for the calling thread's copies, but for those of its last `prior` commits.
inline void __pipeline_wait_prior(size_t prior) {
  host_cuda::wait_for_copies(prior);
}
