#include "tests/host_cuda/cluster.h"

#include <algorithm>
#include <string>

#include <cooperative_groups.h>
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/dynamic_shared.h"

namespace host_cuda {
namespace {

// The block that runs, of a device that has clusters.
Block& running_block(const char* call, Site site) {
  Block& block = *Block::running;
  if (device().major < 9)
    block.fail(std::string(call) + ": clusters need compute capability 9.0", site);
  return block;
}

uint3 first_block(size_t index, const LaunchShape& shape) {
  const dim3 clusters(shape.grid.x / shape.cluster.x, shape.grid.y / shape.cluster.y,
                      shape.grid.z / shape.cluster.z);
  const uint3 cluster = position(index, clusters);
  return {cluster.x * shape.cluster.x, cluster.y * shape.cluster.y, cluster.z * shape.cluster.z};
}

}  // namespace

Cluster::Cluster(Grid& grid, size_t index, HostThreads& threads)
    : pool_(threads), order_(visiting_order(grid.kernel->shape.cluster_blocks(), index)) {
  const LaunchShape& shape = grid.kernel->shape;
  const uint3 first = first_block(index, shape);
  for (size_t rank = 0; rank < order_.size(); ++rank) {
    const uint3 offset = position(rank, shape.cluster);
    const uint3 place{first.x + offset.x, first.y + offset.y, first.z + offset.z};
    threads_.push_back(pool_.take());
    blocks_.push_back(std::make_unique<Block>(grid, *this, static_cast<unsigned>(rank)));
    blocks_.back()->begin(place, threads_.back()->shared_sync);
  }
}

Cluster::~Cluster() {
  for (HostThread* thread : threads_) pool_.give_back(thread);
}

void Cluster::stop_at_trigger() {
  for (const auto& block : blocks_) block->stop_at_trigger();
}

void Cluster::advance() {
  do {
    for (const size_t rank : order_) {
      Block& block = *blocks_[rank];
      if (block.stop() != Stop::kNone) continue;
      threads_[rank]->run([&] { block.advance(); });
      if (block.stop() == Stop::kFailed) throw KernelProblem(block.problem());
    }
  } while (pass_barrier());
}

bool Cluster::let_go(Stop stop) {
  bool found = false;
  for (const auto& block : blocks_) {
    if (block->stop() != stop) continue;
    block->let_go();
    found = true;
  }
  return found;
}

bool Cluster::has_triggered() const {
  return std::all_of(blocks_.begin(), blocks_.end(), [](auto& b) { return b->has_triggered(); });
}

const std::vector<std::byte*>& Cluster::shared_arrays(size_t rank) const {
  return threads_[rank]->shared_arrays();
}

// All blocks or none: one that has ended is not there for what the others store into it.
bool Cluster::pass_barrier() {
  const Block* waits = nullptr;
  const Block* ended = nullptr;
  bool complete = true;
  for (const auto& block : blocks_) {
    if (block->stop() == Stop::kAtClusterBarrier) {
      waits = block.get();
    } else {
      complete = false;
      if (block->stop() == Stop::kDone) ended = block.get();
    }
  }
  if (waits != nullptr && ended != nullptr)
    throw KernelProblem("block " + std::to_string(waits->rank()) +
                        " of a cluster waits at a cluster barrier, " + waits->where() +
                        ", and block " + std::to_string(ended->rank()) + " ended before it");
  return complete && let_go(Stop::kAtClusterBarrier);
}

void cluster_barrier(Site site) {
  running_block("cluster_group::sync", site).wait_at_cluster_barrier(site);
}

unsigned cluster_rank(Site site) {
  return running_block("cluster_group::block_rank", site).rank();
}

unsigned cluster_size(Site site) {
  const Block& block = running_block("cluster_group::num_blocks", site);
  return static_cast<unsigned>(block.kernel().shape.cluster_blocks());
}

void* map_shared_rank(void* address, int rank, Site site) {
  Block& block = running_block("map_shared_rank", site);
  const LaunchShape& shape = block.kernel().shape;
  if (rank < 0 || static_cast<size_t>(rank) >= shape.cluster_blocks())
    block.fail("map_shared_rank: no block " + std::to_string(rank) + " in a cluster of " +
                   std::to_string(shape.cluster_blocks()),
               site);
  const std::vector<std::byte*> own = dynamic_shared_arrays();
  const std::byte* const at = static_cast<std::byte*>(address);
  for (size_t i = 0; i < own.size(); ++i) {
    if (at < own[i] || at >= own[i] + shape.dynamic_shared_bytes) continue;
    if (block.cluster() == nullptr) return address;
    return block.cluster()->shared_arrays(static_cast<size_t>(rank))[i] + (at - own[i]);
  }
  block.fail(
      "map_shared_rank: not in a dynamic shared array, the only ones that can be mapped here",
      site);
}

}  // namespace host_cuda
