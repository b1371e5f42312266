// What the terminal shows of a run, kept in the run's directory.
#pragma once

#include <filesystem>
#include <memory>

namespace spdlog {
class logger;
}

namespace digitron {

// While it lives, every line of the default logger also goes to a file, at once.
class RunLog {
 public:
  // Replaces the file, or goes on at its end. Throws InputError when it cannot be opened. Later a
  // line that finds no room is left out without a word: metrics.jsonl, written before each of them,
  // is what a full disk ends the run at.
  RunLog(const std::filesystem::path& path, bool append);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

 private:
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace digitron
