// Runs programs, several side by side.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace digitron {

struct Job {
  std::vector<std::string> command;  // the program's path, then its arguments
  std::filesystem::path log;         // takes its standard output and error
};

// Runs jobs in `slots` places side by side: next(slot) gives the job to start there, or nothing
// when none waits, and is asked again whenever one has ended; done(slot, exit code) is told of each
// end, with 128 + N for one that signal N ended. When `stop` is raised no further job starts, and
// those that run get SIGTERM, with their children, and are waited for; when this process dies, they
// alone get it. A Ctrl-C reaches this process alone. `waiting` is told several times a second how
// many jobs run. Throws MachineError when a program cannot be started or a log cannot be written,
// after those that run have been ended so.
void run_slots(
    size_t slots, const std::function<std::optional<Job>(size_t)>& next,
    const std::atomic<bool>& stop, const std::function<void(size_t, int)>& done,
    const std::function<void(size_t)>& waiting = [](size_t) {});

// The same for jobs in order, with done(index, exit code).
void run_jobs(const std::vector<Job>& jobs, size_t side_by_side, const std::atomic<bool>& stop,
              const std::function<void(size_t, int)>& done);

}  // namespace digitron
