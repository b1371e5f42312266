// Blocks that live at the same time, each on a host thread of its own: those of a cluster, or a
// single block that starts before the kernel in front of it has ended.
#pragma once

#include <memory>
#include <vector>

#include "tests/host_cuda/block.h"
#include "tests/host_cuda/host_thread.h"

namespace host_cuda {

class Cluster {
 public:
  // index: of the cluster in its grid. threads outlive it.
  Cluster(Grid& grid, size_t index, HostThreads& threads);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void stop_at_trigger();
  // Runs every block as far as they go together. Throws KernelProblem.
  void advance();
  // Lets blocks go on that stopped there. Were there any?
  bool let_go(Stop stop);
  bool has_triggered() const;

  size_t size() const { return blocks_.size(); }
  // The dynamic shared arrays of a block.
  const std::vector<std::byte*>& shared_arrays(size_t rank) const;
  // What the barrier after `passed` others orders; two in turn, as in a block.
  char& barrier_sync(unsigned passed) { return barrier_sync_[passed % 2]; }

 private:
  bool pass_barrier();

  HostThreads& pool_;
  std::vector<HostThread*> threads_;            // by rank
  std::vector<std::unique_ptr<Block>> blocks_;  // by rank
  std::vector<size_t> order_;                   // of their turns
  char barrier_sync_[2] = {};
};

}  // namespace host_cuda
