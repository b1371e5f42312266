#include "tests/host_cuda/host_thread.h"

#include <utility>

#include "tests/host_cuda/dynamic_shared.h"

namespace host_cuda {

HostThread::HostThread() : thread_([this] { loop(); }) {
  run([this] { shared_arrays_ = dynamic_shared_arrays(); });
}

HostThread::~HostThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HostThread::run(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  job_ = std::move(job);
  changed_.notify_all();
  changed_.wait(lock, [&] { return job_ == nullptr; });
}

void HostThread::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return job_ != nullptr || ending_; });
    if (ending_) break;
    job_();
    job_ = nullptr;
    changed_.notify_all();
  }
  release_dynamic_shared();  // a block that was broken off has not, and the next thread may get it
}

HostThread* HostThreads::take() {
  if (idle_.empty()) {
    all_.push_back(std::make_unique<HostThread>());
    idle_.push_back(all_.back().get());
  }
  HostThread* const thread = idle_.back();
  idle_.pop_back();
  return thread;
}

}  // namespace host_cuda
