#include "host/cpu/thread_team.h"

#include <utility>

#include "host/core/error.h"

namespace digitron {

std::thread start_thread(std::function<void()> serve) {
  return std::thread(std::move(serve));
}

ThreadTeam::ThreadTeam(int threads, OnTooFew on_too_few, const StartThread& start) {
  workers_.reserve(static_cast<size_t>(threads) - 1);
  try {
    while (size() < threads) workers_.push_back(start([this, next = size()] { serve(next); }));
  } catch (const std::exception& error) {  // std::system_error, or no memory for the thread
    shortage_ = error.what();
  }
  if (shortage_.empty() || on_too_few == OnTooFew::kGoOn) return;
  stop();
  throw MachineError("only " + std::to_string(size()) + " of " + std::to_string(threads) +
                     " threads could be started (" + shortage_ + "); take --threads " +
                     std::to_string(size()) +
                     " or fewer, or raise the limit on processes (ulimit -u, the cgroup's "
                     "pids.max) or on memory (ulimit -v)");
}

void ThreadTeam::stop() {
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
