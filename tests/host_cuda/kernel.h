// A kernel as it was launched, and kernels that overlap.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

namespace host_cuda {

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared_bytes;
  dim3 cluster;  // a divisor of the grid

  size_t threads() const { return size_t{block.x} * block.y * block.z; }
  size_t blocks() const { return size_t{grid.x} * grid.y * grid.z; }
  size_t cluster_blocks() const { return size_t{cluster.x} * cluster.y * cluster.z; }
};

struct Kernel {
  LaunchShape shape;
  std::function<void()> thread;  // what each of its threads runs
  bool programmatic;             // may start before the kernel in front of it has ended
  cudaStream_t stream;
};

// Runs kernels that follow each other in a stream, of which all but the first are programmatic:
//
// - A kernel may start when every block of the one before has triggered or ended, and so it does,
//   as far as cudaGridDependencySynchronize; the first kernel of all has triggered from the start.
//   Then the kernels end in their order.
// - Of a kernel with more than kEarlyBlocks blocks or kEarlyThreads threads only the first and the
//   last cluster start early. The others run wholly when the kernel before has ended, as they would
//   on a full device.
// - Blocks, and the threads of a block, take turns in the order that set_order chose.
//
// Returns what went wrong in words, or nothing; what comes after that does not run.
//
// Under ThreadSanitizer every device thread is a thread of its own, and only barriers and the wait
// for the grid before order them, so one left out is reported as a data race, whatever the order in
// which they run.
std::string run_kernels(const std::vector<const Kernel*>& kernels);

constexpr size_t kEarlyBlocks = 16;
constexpr size_t kEarlyThreads = 2048;  // ThreadSanitizer knows 8128, of all kernels that overlap

}  // namespace host_cuda
