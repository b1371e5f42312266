#include "host/cpu/thread_team.h"

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

void ThreadTeam::run(int threads, const std::function<void(Worker)>& work) {
  if (threads == 1) {
    running_ = 1;
    return work({0, 1});
  }
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    running_ = threads;
    ++round_;
  }
  changed_.notify_all();
  work({0, threads});
  barrier();  // also keeps `work` alive until the last worker is out of it
}

void ThreadTeam::serve(int thread) {
  for (int seen = 0;;) {
    const std::function<void(Worker)>* work = nullptr;
    Worker self{thread, 0};
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      work = work_;
      self.count = running_;
    }
    if (self.index >= self.count) continue;
    (*work)(self);
    barrier_.meet(self.count);
  }
}

}  // namespace digitron
