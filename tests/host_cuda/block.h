// One block of a kernel: its threads take turns on one host thread, and meet at barriers and in
// warp operations.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <device_language.h>
#include "tests/host_cuda/async_copies.h"
#include "tests/host_cuda/fiber.h"
#include "tests/host_cuda/grid.h"

namespace host_cuda {

struct WarpRequest {
  WarpOperation operation;
  unsigned mask;
  uint64_t bits;
  int source_lane;
};

// What went wrong in a kernel, in words.
struct KernelProblem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Cluster;

// Where a block cannot go on without something from outside it.
enum class Stop { kNone, kAtTrigger, kAtDependency, kAtClusterBarrier, kDone, kFailed };

class Block {
 public:
  static Block* running;

  explicit Block(Grid& grid);
  // One of a cluster, perhaps the only one.
  Block(Grid& grid, Cluster& cluster, unsigned rank);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Makes it the block at this place of the grid, with no thread started. shared_sync: of the host
  // thread that will run it.
  void begin(uint3 place, char& shared_sync);
  // Stops where its threads trigger the dependent kernel.
  void stop_at_trigger() { stops_at_trigger_ = true; }

  // Runs the threads as far as they go. On the host thread that holds its shared memory.
  Stop advance();
  // Where it stopped.
  Stop stop() const { return stop_; }
  // Lets it go on from there.
  void let_go();
  bool has_triggered() const { return triggered_ || stop_ == Stop::kDone; }
  const std::string& problem() const { return problem_; }
  // Where its first thread waits: FILE:LINE.
  std::string where() const;

  // Called by the thread that runs.
  void wait_at_barrier(Site site);
  uint64_t wait_in_warp(const WarpRequest& request, Site site);
  int current_lane() const { return static_cast<int>(current_ % warpSize); }
  void wait_for_grid(Site site);
  void trigger(Site site);
  void wait_at_cluster_barrier(Site site);
  AsyncCopies& copies() { return copies_[current_]; }
  // Ends the kernel with this problem, at this place. Throws KernelProblem, so that nothing of the
  // thread is left.
  [[noreturn]] void fail(const std::string& problem, Site site);

  Cluster* cluster() const { return cluster_; }
  unsigned rank() const { return rank_; }
  const Kernel& kernel() const { return *grid_.kernel; }

  // Called by a fiber: starts threads that have not started, as long as they return.
  void start_threads(Fiber* self);

  // After a problem: threads that stopped somewhere are never resumed.
  static void forget_fibers();

 private:
  enum class State {
    kNew,
    kReady,
    kAtBarrier,
    kInWarp,
    kAtTrigger,
    kAtDependency,
    kAtClusterBarrier,
    kDone
  };

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
  void take_turns();
  void enter_thread();
  void leave_thread();
  void begin_shared_memory();
  void end_shared_memory();
  void note_trigger();
  bool release_barrier();
  bool release_warps();
  bool release_group(size_t first, unsigned mask);
  void answer(size_t first, unsigned group);
  bool any(State state) const;
  bool all_at(State state);  // and at the same place in the source
  Stop why_stopped();
  std::string stuck() const;

  Grid& grid_;
  Cluster* cluster_ = nullptr;
  unsigned rank_ = 0;
  uint3 place_{};
  Stop stop_ = Stop::kNone;
  std::vector<Thread> threads_;
  std::vector<size_t> order_;
  size_t next_ = 0;  // position in order_ of the next thread to start
  size_t current_ = 0;
  size_t entered_ = 0;         // threads that have begun
  size_t done_ = 0;            // threads that have ended
  bool returned_ = false;      // does the fiber that ran last wait for another thread to run?
  std::vector<Fiber*> spent_;  // fibers that this block is not to use again
  bool warps_wait_ = false;
  unsigned generation_ = 0;          // barriers passed
  unsigned cluster_generation_ = 0;  // cluster barriers passed
  bool stops_at_trigger_ = false;
  bool triggered_ = false;
  bool waited_ = false;                   // for the kernel before
  std::map<size_t, AsyncCopies> copies_;  // by thread, of those that copy
  std::string problem_;
  SyncPair barrier_sync_{};
  char start_sync_ = 0;
  char* shared_sync_ = nullptr;
  std::map<std::pair<size_t, unsigned>, SyncPair> warp_sync_;  // by warp and mask
};

}  // namespace host_cuda
