// Host threads for blocks that live at the same time: shared memory is a thread's own storage.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace host_cuda {

class HostThread {
 public:
  HostThread();
  ~HostThread();
  HostThread(const HostThread&) = delete;
  HostThread& operator=(const HostThread&) = delete;

  // Runs the job on this thread while the caller waits, so that never two run at once.
  void run(std::function<void()> job);

  // Its dynamic shared arrays.
  const std::vector<std::byte*>& shared_arrays() const { return shared_arrays_; }
  // What the blocks did that had its shared memory.
  char shared_sync = 0;

 private:
  void loop();

  std::vector<std::byte*> shared_arrays_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  bool ending_ = false;
  std::thread thread_;
};

// As many as were needed at once. They end with the kernels that they ran.
class HostThreads {
 public:
  HostThread* take();
  void give_back(HostThread* thread) { idle_.push_back(thread); }

 private:
  std::vector<std::unique_ptr<HostThread>> all_;
  std::vector<HostThread*> idle_;
};

}  // namespace host_cuda
