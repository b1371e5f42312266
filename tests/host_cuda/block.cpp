#include "tests/host_cuda/block.h"

#include <algorithm>
#include <memory>

#include "tests/host_cuda/cluster.h"
#include "tests/host_cuda/dynamic_shared.h"
#include "tests/host_cuda/sanitizers.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace host_cuda {
namespace {

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

std::string in_words(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}

std::string plural(size_t count) {
  return std::to_string(count) + (count == 1 ? " thread" : " threads");
}

}  // namespace

Block* Block::running = nullptr;

Block::Block(Grid& grid) : grid_(grid), threads_(grid.kernel->shape.threads()) {}

Block::Block(Grid& grid, Cluster& cluster, unsigned rank) : Block(grid) {
  cluster_ = &cluster;
  rank_ = rank;
}

Block::~Block() {
  pool().idle.insert(pool().idle.end(), spent_.begin(), spent_.end());
}

void Block::begin(uint3 place, char& shared_sync) {
  const dim3 grid = kernel().shape.grid;
  const size_t index = place.x + size_t{grid.x} * (place.y + size_t{grid.y} * place.z);
  place_ = place;
  shared_sync_ = &shared_sync;
  stop_ = Stop::kNone;
  std::fill(threads_.begin(), threads_.end(), Thread{});
  order_ = visiting_order(threads_.size(), index + 1);
  next_ = entered_ = done_ = 0;
  generation_ = cluster_generation_ = 0;
  triggered_ = waited_ = false;
  pool().idle.insert(pool().idle.end(), spent_.begin(), spent_.end());
  spent_.clear();
}

Stop Block::advance() {
  running = this;
  blockIdx = place_;
  blockDim = kernel().shape.block;
  gridDim = kernel().shape.grid;
  if (entered_ == 0) release(start_sync_);
  do {
    take_turns();
  } while (problem_.empty() && (release_warps() || release_barrier()));
  stop_ = why_stopped();
  running = nullptr;
  return stop_;
}

// What threads need from outside comes before what they need of each other.
Stop Block::why_stopped() {
  if (!problem_.empty()) return Stop::kFailed;
  if (done_ == threads_.size()) return Stop::kDone;
  if (any(State::kAtTrigger)) return Stop::kAtTrigger;
  if (any(State::kAtDependency)) return Stop::kAtDependency;
  if (all_at(State::kAtClusterBarrier)) return Stop::kAtClusterBarrier;
  if (problem_.empty()) problem_ = stuck();
  return Stop::kFailed;
}

void Block::let_go() {
  const State waited_in = stop_ == Stop::kAtTrigger      ? State::kAtTrigger
                          : stop_ == Stop::kAtDependency ? State::kAtDependency
                                                         : State::kAtClusterBarrier;
  for (Thread& thread : threads_)
    if (thread.state == waited_in) thread.state = State::kReady;
  if (stop_ == Stop::kAtTrigger) stops_at_trigger_ = false;
  if (stop_ == Stop::kAtClusterBarrier) ++cluster_generation_;
  stop_ = Stop::kNone;
}

// Every thread that can run does, once. A fiber that no thread keeps waiting in starts thread after
// thread, so a kernel without barriers is a loop on one stack.
void Block::take_turns() {
  while (next_ < order_.size() && problem_.empty()) resume(pool().take());
  for (const size_t index : order_) {
    if (threads_[index].state != State::kReady) continue;
    set_current(index);
    resume(threads_[index].fiber);
    if (!problem_.empty()) return;
  }
}

void Block::start_threads(Fiber* self) {
  while (next_ < order_.size() && problem_.empty()) {
    const size_t index = order_[next_++];
    set_current(index);
    threads_[index].fiber = self;
    enter_thread();
    try {
      kernel().thread();
      leave_thread();
    } catch (const KernelProblem& thrown) {
      problem_ = thrown.what();
    }
    if (under_tsan()) break;  // there each thread has a fiber of its own
  }
  returned_ = true;
}

void Block::set_current(size_t index) {
  current_ = index;
  threadIdx = position(index, blockDim);
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

void Block::enter_thread() {
  acquire(start_sync_);
  if (entered_++ == 0) begin_shared_memory();
  const Grid* const before = grid_.before;
  if (before != nullptr && before->before != nullptr && before->vouches)
    acquire(before->before->end_sync);
}

void Block::leave_thread() {
  const auto copies = copies_.find(current_);
  if (copies != copies_.end()) {
    if (copies->second.pending() != 0)
      throw KernelProblem("a thread ended with asynchronous copies that it did not wait for");
    copies_.erase(copies);
  }
  threads_[current_].state = State::kDone;
  release(*shared_sync_);
  if (++done_ == threads_.size()) {
    note_trigger();
    end_shared_memory();
  }
  release(grid_.end_sync);
}

// Its first thread does, behind all blocks that had this memory. Others of the cluster may not
// store into it before a barrier tells them that it is there.
void Block::begin_shared_memory() {
  const size_t bytes = kernel().shape.dynamic_shared_bytes;
  acquire(*shared_sync_);
  prepare_dynamic_shared(bytes);
  if (cluster_ != nullptr)
    for (std::byte* array : dynamic_shared_arrays()) note_write(array, bytes);
  release(start_sync_);
}

// Its last thread does. From here on the memory is another block's.
void Block::end_shared_memory() {
  acquire(*shared_sync_);
  if (cluster_ != nullptr)
    for (std::byte* array : dynamic_shared_arrays())
      note_write(array, kernel().shape.dynamic_shared_bytes);
  release_dynamic_shared();
  release(*shared_sync_);
}

void Block::fail(const std::string& problem, Site site) {
  throw KernelProblem(problem + ", at " + in_words(site));
}

std::string Block::where() const {
  return in_words(threads_.front().site);
}

bool Block::any(State state) const {
  return std::any_of(threads_.begin(), threads_.end(),
                     [&](const Thread& thread) { return thread.state == state; });
}

std::string Block::stuck() const {
  size_t waiting = 0;
  const Thread* example = nullptr;
  for (const Thread& thread : threads_) {
    if (thread.state == State::kDone) continue;
    ++waiting;
    if (example == nullptr) example = &thread;
  }
  return plural(waiting) + " wait for ever, the first at " + in_words(example->site) + "; " +
         plural(done_) + " returned without getting there";
}

void Block::forget_fibers() {
  pool().clear();
}

}  // namespace host_cuda
