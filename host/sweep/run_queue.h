// The runs of a sweep that are not finished: which comes next, and which is tried again.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/process/process_pool.h"
#include "host/sweep/sweep.h"
#include "host/sweep/sweep_run.h"

namespace digitron {

class RunQueue {
 public:
  // Both are to live as long as the queue. Throws MachineError when the disk does not give a run.
  RunQueue(const SweepRequest& request, const std::vector<SweepRun>& runs);

  size_t count() const { return count_; }  // of all runs that were missing at the start
  size_t ended() const { return ended_; }  // for good, well or not

  // What this slot is to run; nothing when no run waits.
  std::optional<Job> next(size_t slot);

  // The slot's job has ended. One line in the log: how good the run is, or why it failed; but
  // nothing for a run that was stopped.
  void end(size_t slot, int exit_code, bool stopped);

  // Of the runs that are not tried again.
  const std::vector<SweepFailure>& failures() const { return failures_; }

 private:
  struct Attempt {
    const SweepRun* run;
    int failed = 0;        // attempts before this one
    bool anew = false;     // whether to begin anew even where something was saved
    bool resumes = false;  // whether it continues what was saved
  };

  std::vector<std::string> place(size_t slot) const;
  void fail(Attempt attempt, int exit_code);

  const SweepRequest& request_;
  std::deque<Attempt> waiting_;
  std::map<size_t, Attempt> running_;  // by slot
  size_t count_ = 0;
  size_t ended_ = 0;
  std::vector<SweepFailure> failures_;
};

}  // namespace digitron
