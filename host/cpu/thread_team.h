// A fixed team of threads that meets at a barrier several thousand times a second. Waiting spins
// first, because the next piece of work is microseconds away, and sleeps after that, because the
// machine may have fewer free cores than the team has threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace digitron {

class ThreadTeam {
 public:
  // threads: 1 or more; the calling thread is one of them.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs work(thread) on every thread, the caller being thread 0, and returns when all are done.
  // work must not throw.
  void run(const std::function<void(int)>& work);

  // Called by every thread inside work: none leaves before all have come.
  void barrier();

 private:
  void serve(int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(int)>* work_ = nullptr;
  int round_ = 0;
  bool stopping_ = false;

  alignas(64) std::atomic<int> waiting_{0};
  alignas(64) std::atomic<int> generation_{0};
};

}  // namespace digitron
