// The blocks that share a sample: one block, or a cluster of them, each with a copy of all that the
// sample needs in its own shared memory.
#pragma once

#include <cooperative_groups.h>
#include <cuda_runtime.h>
#include <nv/target>

namespace digitron {

// Whole numbers from first to below last.
struct Range {
  int first, last;

  __device__ int count() const { return last - first; }
};

template <int kParts>
class Group;

template <>
class Group<1> {
 public:
  static constexpr int kParts = 1;

  __device__ int rank() const { return 0; }
  // The part of `count` things that this block takes; parts differ by one at most.
  __device__ Range share(int count) const { return {0, count}; }
  // Waits for all threads of the group; what they stored is there.
  __device__ void sync() const { __syncthreads(); }
  // Stores into the shared memory of every part.
  template <class T>
  __device__ void store(T* mine, T value) const {
    *mine = value;
  }
};

// A cluster of two, from compute capability 9.0 on. No kernel runs this code before, but it is
// compiled, and then without the clusters that it cannot have.
template <>
class Group<2> {
 public:
  static constexpr int kParts = 2;

  __device__ Group() {
    NV_IF_TARGET(NV_PROVIDES_SM_90,
                 (rank_ = static_cast<int>(cooperative_groups::this_cluster().block_rank());))
  }

  __device__ int rank() const { return rank_; }
  __device__ Range share(int count) const { return {count * rank_ / 2, count * (rank_ + 1) / 2}; }
  __device__ void sync() const {
    NV_IF_TARGET(NV_PROVIDES_SM_90, (cooperative_groups::this_cluster().sync();))
  }
  template <class T>
  __device__ void store(T* mine, T value) const {
    *mine = value;
    NV_IF_TARGET(NV_PROVIDES_SM_90,
                 (*cooperative_groups::this_cluster().map_shared_rank(mine, 1 - rank_) = value;))
  }

 private:
  int rank_ = 0;
};

}  // namespace digitron
