// A team of threads that does one piece of work after another, all of it or some of it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/cpu/barrier.h"
#include "host/cpu/worker.h"

namespace digitron {

// Starts a thread that calls `serve`. Throws what std::thread's constructor throws.
using StartThread = std::function<std::thread(std::function<void()> serve)>;
std::thread start_thread(std::function<void()> serve);

// What becomes of a team when the system refuses to start another thread.
enum class OnTooFew { kThrow, kGoOn };

class ThreadTeam {
 public:
  // threads: 1 or more; the calling thread is one of them. Throws MachineError that says how many
  // could be started, why no more, and what to do; or makes do with those.
  explicit ThreadTeam(int threads, OnTooFew on_too_few = OnTooFew::kThrow,
                      const StartThread& start = start_thread);
  ~ThreadTeam() { stop(); }
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  // Why these are fewer than were asked for; empty where they are not.
  const std::string& shortage() const { return shortage_; }

  // Runs work(worker) on the first `threads` of the team, 1 to size(), the caller being worker 0,
  // and returns when all are done. The others sleep. work must not throw.
  void run(int threads, const std::function<void(Worker)>& work);
  void run(const std::function<void(Worker)>& work) { run(size(), work); }

  // Called by every worker inside work: none leaves before all have come.
  void barrier() { barrier_.meet(running_); }

 private:
  void serve(int thread);
  void stop();

  std::vector<std::thread> workers_;
  std::string shortage_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(Worker)>* work_ = nullptr;
  int running_ = 1;  // of the threads, from the first on
  int round_ = 0;
  bool stopping_ = false;
  Barrier barrier_;
};

}  // namespace digitron
