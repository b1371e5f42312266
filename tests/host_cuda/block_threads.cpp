#include "tests/host_cuda/block_threads.h"

#include <algorithm>
#include <memory>

#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {
namespace {

void acquire(char& sync) {
  if (__tsan_acquire != nullptr) __tsan_acquire(&sync);
}

void release(char& sync) {
  if (__tsan_release != nullptr) __tsan_release(&sync);
}

std::string at(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}

bool same(Site a, Site b) {
  return a.line == b.line && std::string(a.file) == b.file;
}

// Fibers wait here for the next thread to run, and the next kernel.
struct FiberPool {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> idle;

  Fiber* take() {
    if (idle.empty()) add();
    Fiber* const fiber = idle.back();
    idle.pop_back();
    return fiber;
  }

  void add() {
    const auto self = std::make_shared<Fiber*>();
    fibers.push_back(std::make_unique<Fiber>([self] {
      for (;;) {
        Block::running->start_threads(*self);
        (*self)->suspend();
      }
    }));
    *self = fibers.back().get();
    idle.push_back(*self);
  }

  // The frames on those stacks are never left; nothing of a kernel has a destructor to run.
  void clear() {
    idle.clear();
    fibers.clear();
  }
};

FiberPool& pool() {
  static FiberPool fibers;
  return fibers;
}

std::string plural(size_t count) {
  return std::to_string(count) + (count == 1 ? " thread" : " threads");
}

}  // namespace

Block* Block::running = nullptr;

Block::Block(size_t thread_count, const std::function<void()>& thread)
    : body_(thread), threads_(thread_count) {}

std::string Block::run(const std::vector<size_t>& order) {
  order_ = &order;
  next_ = 0;
  generation_ = 0;
  problem_.clear();
  std::fill(threads_.begin(), threads_.end(), Thread{});
  release(start_sync_);
  do {
    take_turns(order);
  } while (problem_.empty() && (release_warps() || release_barrier()));
  acquire(end_sync_);
  const auto unfinished = [](const Thread& t) { return t.state != State::kDone; };
  if (problem_.empty() && std::any_of(threads_.begin(), threads_.end(), unfinished))
    problem_ = stuck();
  pool().idle.insert(pool().idle.end(), spent_.begin(), spent_.end());
  spent_.clear();
  if (!problem_.empty()) pool().clear();
  return problem_;
}

// Every thread that can run does, once. A fiber that no thread keeps waiting in starts thread after
// thread, so a kernel without barriers is a loop on one stack.
void Block::take_turns(const std::vector<size_t>& order) {
  while (next_ < order.size()) resume(pool().take());
  for (const size_t index : order) {
    if (threads_[index].state != State::kReady) continue;
    set_current(index);
    resume(threads_[index].fiber);
  }
}

void Block::start_threads(Fiber* self) {
  while (next_ < order_->size()) {
    const size_t index = (*order_)[next_++];
    set_current(index);
    threads_[index].fiber = self;
    acquire(start_sync_);
    body_();
    threads_[index].state = State::kDone;
    release(end_sync_);
    if (under_tsan()) break;  // there each thread has a fiber of its own
  }
  returned_ = true;
}

void Block::resume(Fiber* fiber) {
  returned_ = false;
  fiber->resume();
  if (returned_) (under_tsan() ? spent_ : pool().idle).push_back(fiber);
}

void Block::suspend(State state, Site site) {
  Thread& self = threads_[current_];
  self.state = state;
  self.site = site;
  self.fiber->suspend();
}

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

bool Block::release_barrier() {
  const Thread& first = threads_.front();
  for (const Thread& thread : threads_)
    if (thread.state != State::kAtBarrier) return false;
  for (const Thread& thread : threads_) {
    if (same(thread.site, first.site)) continue;
    problem_ = "threads of a block wait at different barriers, " + at(first.site) + " and " +
               at(thread.site);
    return false;
  }
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

std::string Block::stuck() const {
  size_t waiting = 0;
  size_t done = 0;
  const Thread* example = nullptr;
  for (const Thread& thread : threads_) {
    if (thread.state == State::kDone) ++done;
    if (thread.state != State::kAtBarrier && thread.state != State::kInWarp) continue;
    ++waiting;
    if (example == nullptr) example = &thread;
  }
  return plural(waiting) + " wait for ever, the first at " + at(example->site) + "; " +
         plural(done) + " returned without getting there";
}

}  // namespace host_cuda
