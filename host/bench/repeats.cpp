#include "host/bench/repeats.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "host/bench/bench_json.h"
#include "host/core/error.h"
#include "host/process/process_pool.h"

namespace digitron {

namespace {

constexpr int kInputErrorCode = 2;
constexpr std::string_view kErrorStart = "digitron: ";

// A directory of its own, gone with all that is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "digitron-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw MachineError("cannot make a directory like " + name + "; set TMPDIR to where one can");
    }
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The processes of one call.
class RowProcesses {
 public:
  RowProcesses(const BenchRequest& request, const std::string& program,
               const std::atomic<bool>& stop)
      : command_(request.command), stop_(stop) {
    command_.front() = program;
  }

  // The row with one repeat; nothing when it was interrupted.
  std::optional<BenchRow> measure(size_t row, bool samples_only) {
    Job job{command_, scratch_ / "log"};
    const std::filesystem::path result = scratch_ / "row.json";
    for (const std::string& word :
         {std::string(kOnlyRow), std::to_string(row), std::string(kRowFile), result.string(),
          std::string(kStarted), fmt::format("{:.9f}", steady_seconds())}) {
      job.command.push_back(word);
    }
    if (samples_only) job.command.emplace_back(kSamplesOnly);
    int code = 0;
    run_jobs({job}, 1, stop_, [&](size_t, int exit_code) { code = exit_code; });
    if (stop_) return std::nullopt;
    const std::string log = text_of(job.log);
    if (code != 0) fail(code, log);
    say(log);
    return row_from_json(nlohmann::ordered_json::parse(text_of(result)));
  }

 private:
  [[noreturn]] static void fail(int code, const std::string& log) {
    const size_t start = log.rfind(kErrorStart);
    if (start == std::string::npos) {
      throw MachineError(fmt::format(
          "a process that measured ended with exit code {}; with --repeat 1 it shows why", code));
    }
    const size_t begin = start + kErrorStart.size();
    const std::string message = log.substr(begin, log.find('\n', begin) - begin);
    if (code == kInputErrorCode) throw InputError(message);
    throw MachineError(message);
  }

  void say(const std::string& log) {
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      if (said_.insert(line).second) spdlog::warn("{}", line);
    }
  }

  std::vector<std::string> command_;
  const std::atomic<bool>& stop_;
  ScratchDirectory scratch_;
  std::set<std::string> said_;
};

}  // namespace

std::vector<BenchRow> measure_rows(const BenchRequest& request,
                                   const std::vector<RowRequest>& wanted,
                                   const std::string& program, const std::atomic<bool>& stop,
                                   const BenchProgress& progress) {
  std::vector<BenchRow> rows;
  if (request.repeat == 1) {
    for (const RowRequest& row : wanted) {
      if (stop) return rows;
      progress(rows.size(), row);
      rows.push_back(measure_row(row, request.data, request.sampling, std::nullopt));
    }
    return rows;
  }
  RowProcesses processes(request, program, stop);
  for (int repeat = 0; repeat < request.repeat; ++repeat) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      progress(static_cast<size_t>(repeat) * wanted.size() + i, wanted[i]);
      std::optional<BenchRow> measured = processes.measure(i, repeat > 0);
      if (!measured) return rows;
      if (repeat == 0) {
        rows.push_back(std::move(*measured));
      } else {
        rows[i].repeats.push_back(std::move(measured->repeats.front()));
      }
    }
  }
  return rows;
}

}  // namespace digitron
