// Stand-in for <cooperative_groups.h>: the cluster of blocks that a kernel was launched in.
#pragma once

#include <cuda_runtime.h>

namespace host_cuda {

void cluster_barrier(Site site);
unsigned cluster_rank(Site site);
unsigned cluster_size(Site site);
// address: in a dynamic shared array of the calling block. Returns the same place of block `rank`.
void* map_shared_rank(void* address, int rank, Site site);

}  // namespace host_cuda

namespace cooperative_groups {

class cluster_group {
 public:
  static void sync(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    host_cuda::cluster_barrier({file, line});
  }
  static unsigned block_rank(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return host_cuda::cluster_rank({file, line});
  }
  static unsigned num_blocks(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return host_cuda::cluster_size({file, line});
  }
  static unsigned thread_rank(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    const unsigned row = threadIdx.y + blockDim.y * threadIdx.z;
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    return block_rank(file, line) * threads + threadIdx.x + blockDim.x * row;
  }
  template <typename T>
  static T* map_shared_rank(T* address, int rank, const char* file = __builtin_FILE(),
                            int line = __builtin_LINE()) {
    return static_cast<T*>(host_cuda::map_shared_rank(address, rank, {file, line}));
  }

 private:
  cluster_group() = default;
  friend cluster_group this_cluster();
};

inline cluster_group this_cluster() {
  return {};
}

}  // namespace cooperative_groups
