// Runs programs, several side by side.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace digitron {

struct Job {
  std::vector<std::string> command;  // the program's path, then its arguments
  std::filesystem::path log;         // takes its standard output and error
};

// Runs jobs in order, at most `side_by_side` at a time, and calls done(index, exit code) as each
// ends; 128 + N for one that signal N ended. When `stop` is raised no further job starts, and those
// that run get SIGTERM and are waited for; so they do when this process dies. A Ctrl-C reaches this
// process alone. `waiting` is told several times a second how many jobs run. Throws MachineError
// when a program cannot be started or a log cannot be written, after those that run have been ended
// so.
void run_jobs(
    const std::vector<Job>& jobs, int side_by_side, const std::atomic<bool>& stop,
    const std::function<void(size_t, int)>& done,
    const std::function<void(size_t)>& waiting = [](size_t) {});

}  // namespace digitron
