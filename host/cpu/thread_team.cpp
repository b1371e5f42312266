#include "host/cpu/thread_team.h"

#include "host/cpu/arch.h"

namespace digitron {

ThreadTeam::ThreadTeam(int threads) {
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { serve(thread); });
  }
}

ThreadTeam::~ThreadTeam() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::run(const std::function<void(int)>& work) {
  if (workers_.empty()) return work(0);
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    ++round_;
  }
  changed_.notify_all();
  work(0);
  barrier();  // also keeps `work` alive until the last worker is out of it
}

void ThreadTeam::serve(int thread) {
  for (int seen = 0;;) {
    const std::function<void(int)>* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      work = work_;
    }
    (*work)(thread);
    barrier();
  }
}

void ThreadTeam::barrier() {
  if (workers_.empty()) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == static_cast<int>(workers_.size())) {
    waiting_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  constexpr int kSpins = 4000;  // some tens of microseconds
  for (int spins = 0; spins < kSpins; ++spins) {
    if (generation_.load(std::memory_order_acquire) != generation) return;
    spin_pause();
  }
  generation_.wait(generation, std::memory_order_acquire);
}

}  // namespace digitron
