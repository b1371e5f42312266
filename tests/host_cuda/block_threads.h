// The scheduler of a block's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <device_language.h>
#include "tests/host_cuda/fiber.h"

namespace host_cuda {

struct WarpRequest {
  WarpOperation operation;
  unsigned mask;
  uint64_t bits;
  int source_lane;
};

class Block {
 public:
  static Block* running;

  // thread: what each of the threads runs.
  Block(size_t thread_count, const std::function<void()>& thread);

  // Runs the threads, taken in this order, to their ends. Returns what went wrong, or nothing.
  std::string run(const std::vector<size_t>& order);

  // Called by the thread that runs.
  void wait_at_barrier(Site site);
  uint64_t wait_in_warp(const WarpRequest& request, Site site);
  int current_lane() const { return static_cast<int>(current_ % warpSize); }

  // Called by a fiber: starts threads that have not started, as long as they return.
  void start_threads(Fiber* self);

 private:
  enum class State { kNew, kReady, kAtBarrier, kInWarp, kDone };

  struct Thread {
    State state = State::kNew;
    Site site{};
    WarpRequest request{};
    uint64_t result = 0;
    Fiber* fiber = nullptr;
    std::map<unsigned, unsigned> syncs;  // by mask: how many __syncwarp so far
  };

  // What a barrier orders under ThreadSanitizer: two in turn, because a fast thread arrives at the
  // next barrier before a slow one has left the last.
  using SyncPair = char[2];

  void set_current(size_t index);
  void resume(Fiber* fiber);
  void suspend(State state, Site site);
  void take_turns(const std::vector<size_t>& order);
  bool release_barrier();
  bool release_warps();
  bool release_group(size_t first, unsigned mask);
  void answer(size_t first, unsigned group);
  std::string stuck() const;

  const std::function<void()>& body_;
  std::vector<Thread> threads_;
  const std::vector<size_t>* order_ = nullptr;
  size_t next_ = 0;  // position in order_ of the next thread to start
  size_t current_ = 0;
  bool returned_ = false;      // does the fiber that ran last wait for another thread to run?
  std::vector<Fiber*> spent_;  // fibers that this block is not to use again
  bool warps_wait_ = false;
  unsigned generation_ = 0;  // barriers passed
  std::string problem_;
  SyncPair barrier_sync_{};
  char start_sync_ = 0;
  char end_sync_ = 0;
  std::map<std::pair<size_t, unsigned>, SyncPair> warp_sync_;  // by warp and mask
};

}  // namespace host_cuda
