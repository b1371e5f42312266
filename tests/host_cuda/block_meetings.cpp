// Where the threads of a block meet: barriers, warp operations, and what orders kernels.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "tests/host_cuda/block.h"
#include "tests/host_cuda/cluster.h"
#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {
namespace {

std::string at(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}

bool same(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

}  // namespace

void Block::wait_at_barrier(Site site) {
  char& sync = barrier_sync_[generation_ % 2];
  release(sync);
  suspend(State::kAtBarrier, site);
  acquire(sync);
}

uint64_t Block::wait_in_warp(const WarpRequest& request, Site site) {
  const size_t index = current_;
  threads_[index].request = request;
  warps_wait_ = true;
  if (request.operation != WarpOperation::kSync) {  // shuffles and votes order no memory
    suspend(State::kInWarp, site);
    return threads_[index].result;
  }
  const unsigned turn = threads_[index].syncs[request.mask]++ % 2;
  char& sync = warp_sync_[{index / warpSize, request.mask}][turn];
  release(sync);
  suspend(State::kInWarp, site);
  acquire(sync);
  return 0;
}

void Block::wait_at_cluster_barrier(Site site) {
  if (cluster_ == nullptr || cluster_->size() == 1) return wait_at_barrier(site);
  char& sync = cluster_->barrier_sync(cluster_generation_);
  release(sync);
  suspend(State::kAtClusterBarrier, site);
  acquire(sync);
}

void Block::wait_for_grid(Site site) {
  if (grid_.before != nullptr) {
    if (!grid_.before->complete) suspend(State::kAtDependency, site);
    acquire(grid_.before->end_sync);
  }
  waited_ = true;
}

// The first thread's call counts for the block. The others stop too, so that the dependent kernel
// starts as early as it may.
void Block::trigger(Site site) {
  note_trigger();
  if (stops_at_trigger_) suspend(State::kAtTrigger, site);
}

void Block::note_trigger() {
  if (!triggered_ && !waited_) grid_.vouches = false;
  triggered_ = true;
}

bool Block::all_at(State state) {
  const Thread& first = threads_.front();
  for (const Thread& thread : threads_)
    if (thread.state != state) return false;
  for (const Thread& thread : threads_) {
    if (same(thread.site, first.site)) continue;
    problem_ = "threads of a block wait at different barriers, " + at(first.site) + " and " +
               at(thread.site);
    return false;
  }
  return true;
}

bool Block::release_barrier() {
  if (!all_at(State::kAtBarrier)) return false;
  for (Thread& thread : threads_) thread.state = State::kReady;
  ++generation_;
  return true;
}

// Did any group of lanes find itself complete?
bool Block::release_warps() {
  if (!warps_wait_) return false;
  warps_wait_ = false;
  bool released = false;
  for (size_t index = 0; index < threads_.size(); ++index) {
    if (threads_[index].state != State::kInWarp) continue;
    const size_t first = index / warpSize * warpSize;
    if (release_group(first, threads_[index].request.mask)) {
      released = true;
    } else {
      warps_wait_ = true;
    }
    if (!problem_.empty()) return false;
  }
  return released;
}

// first: the warp's first thread. Lanes that have returned are not waited for.
bool Block::release_group(size_t first, unsigned mask) {
  const size_t lanes = std::min<size_t>(warpSize, threads_.size() - first);
  unsigned group = 0;
  const Thread* leader = nullptr;
  for (size_t lane = 0; lane < lanes; ++lane) {
    const Thread& thread = threads_[first + lane];
    const unsigned bit = 1u << lane;
    const bool waits = thread.state == State::kInWarp && thread.request.mask == mask;
    if (waits && (mask & bit) == 0) {
      problem_ = "a lane that its own mask leaves out, at " + at(thread.site);
      return false;
    }
    if ((mask & bit) == 0 || thread.state == State::kDone) continue;
    if (!waits) return false;
    if (leader == nullptr) leader = &thread;
    if (leader->request.operation != thread.request.operation || !same(leader->site, thread.site)) {
      problem_ = "lanes of a warp wait in different operations, " + at(leader->site) + " and " +
                 at(thread.site);
      return false;
    }
    group |= bit;
  }
  answer(first, group);
  return true;
}

void Block::answer(size_t first, unsigned group) {
  uint64_t ballot = 0;
  for (int lane = 0; lane < warpSize; ++lane)
    if ((group >> lane & 1) != 0 && threads_[first + lane].request.bits != 0)
      ballot |= uint64_t{1} << lane;
  for (int lane = 0; lane < warpSize; ++lane) {
    if ((group >> lane & 1) == 0) continue;
    Thread& thread = threads_[first + lane];
    const int source = thread.request.source_lane;
    const bool given = (group >> source & 1) != 0;
    const bool votes = thread.request.operation == WarpOperation::kBallot;
    thread.result = votes ? ballot : given ? threads_[first + source].request.bits : ~uint64_t{0};
    thread.state = State::kReady;
  }
}

void block_barrier(Site site) {
  Block::running->wait_at_barrier(site);
}

uint64_t warp_meet(WarpOperation operation, unsigned mask, uint64_t bits, int source_lane,
                   Site site) {
  return Block::running->wait_in_warp({operation, mask, bits, source_lane}, site);
}

int lane() {
  return Block::running->current_lane();
}

void wait_for_grid(Site site) {
  Block::running->wait_for_grid(site);
}

void trigger_dependents(Site site) {
  Block::running->trigger(site);
}

long long clock_ticks() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace host_cuda
