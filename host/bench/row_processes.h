// Fresh processes of a bench that measure one row each.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/bench/bench.h"
#include "host/process/process_pool.h"

namespace digitron {

// The options by which the program measures one row of a request, for a parent that reads the
// result: the row's index, its start by steady_seconds, the file that the row goes to, and whether
// it is a repeat, which has nothing to say of the step from within that the first has not said.
inline constexpr const char* kOnlyRow = "--only-row";
inline constexpr const char* kStarted = "--started";
inline constexpr const char* kRowFile = "--row-file";
inline constexpr const char* kSamplesOnly = "--samples-only";

// A directory of its own, gone with all that is in it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// What the row file holds: row_json, and ahead of it "schema" and "build", for another build that
// reads it.
nlohmann::ordered_json row_file_json(const BenchRow& row);

class RowProcesses {
 public:
  // command: a program's path, and its bench, to which the options above are added. foreign: it is
  // another build, whose words are passed on with its path.
  RowProcesses(std::vector<std::string> command, const std::atomic<bool>& stop,
               bool foreign = false);

  // The row with one repeat; nothing when it was interrupted. What the process says is logged, each
  // line once. Throws an error of the kind and words of the process if it fails, and InputError for
  // a row that this program does not read.
  std::optional<BenchRow> measure(size_t row, bool samples_only);

  // The two halves of it, for processes that are run side by side: what to run, and the row of it
  // once it has ended with this exit code.
  Job job(size_t row) const;
  BenchRow finish(int exit_code);

  // The build that measured the newest row; an empty object where it did not tell.
  const nlohmann::ordered_json& build() const { return build_; }

 private:
  [[noreturn]] void fail(int code, const std::string& log) const;
  void say(const std::string& log);
  std::filesystem::path row_file() const { return scratch_ / "row.json"; }
  BenchRow read_row(const std::string& text);

  std::vector<std::string> command_;
  const std::atomic<bool>& stop_;
  std::string speaker_;  // ahead of its words
  nlohmann::ordered_json build_ = nlohmann::ordered_json::object();
  ScratchDirectory scratch_;
  std::set<std::string> said_;
};

}  // namespace digitron
