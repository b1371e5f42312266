// The engine's threads: how many there are and why, and how many of them do the next piece of work.
#pragma once

#include <string>
#include <variant>

#include "host/cpu/thread_team.h"
#include "host/cpu/thread_tuner.h"
#include "host/cpu/usable_cores.h"

namespace digitron {

// So many threads; or of so many cores, at a time, as many as are fastest.
using ThreadRequest = std::variant<int, UsableCores>;

// The most that there will be.
int most_threads(const ThreadRequest& request);

class CpuThreads {
 public:
  // useful: the most that a training step has something to do for. Throws MachineError when a
  // number was asked for and cannot be started; of cores it makes do with what can.
  CpuThreads(const ThreadRequest& request, int useful);

  ThreadTeam& team() { return team_; }
  const ThreadTeam& team() const { return team_; }

  // How many make the next steps, and what learns from how long these took. One that was told a
  // number keeps to it.
  ThreadTuner& tuner() { return tuner_; }
  int training() const { return tuner_.fastest(); }
  // How many evaluate and predict, where there is work for any number: all, unless a neighbour or
  // the way between the cores makes fewer faster.
  int evaluating() const { return tuner_.is_most() ? team_.size() : tuner_.fastest(); }

  // "2 threads", "up to 2 threads"
  std::string line() const;
  // Why so many: "up to 2, as is fastest: all 2 cores; a step has work for 1". Empty where the
  // number that was asked for says it all.
  std::string reason() const;

 private:
  ThreadRequest request_;
  int useful_;
  ThreadTeam team_;
  ThreadTuner tuner_;
};

}  // namespace digitron
