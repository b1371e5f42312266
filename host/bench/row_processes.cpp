#include "host/bench/row_processes.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "host/bench/bench_file.h"
#include "host/bench/bench_json.h"
#include "host/core/error.h"
#include "host/files/json.h"
#include "host/machine/build.h"

namespace digitron {

namespace {

constexpr int kInputErrorCode = 2;
constexpr std::string_view kErrorStart = "digitron: ";

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "digitron-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw MachineError("cannot make a directory like " + name + "; set TMPDIR to where one can");
  }
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

nlohmann::ordered_json row_file_json(const BenchRow& row) {
  nlohmann::ordered_json json{{"schema", kBenchSchema}, {"build", build_json()}};
  json.update(row_json(row));
  return json;
}

RowProcesses::RowProcesses(std::vector<std::string> command, const std::atomic<bool>& stop,
                           bool foreign)
    : command_(std::move(command)), stop_(stop), speaker_(foreign ? command_.front() + ": " : "") {}

std::optional<BenchRow> RowProcesses::measure(size_t row, bool samples_only) {
  Job process = job(row);
  if (samples_only) process.command.emplace_back(kSamplesOnly);
  int code = 0;
  run_jobs({process}, 1, stop_, [&](size_t, int exit_code) { code = exit_code; });
  if (stop_) return std::nullopt;
  return finish(code);
}

Job RowProcesses::job(size_t row) const {
  std::filesystem::remove(row_file());
  Job process{command_, scratch_ / "log"};
  for (const std::string& word :
       {std::string(kOnlyRow), std::to_string(row), std::string(kRowFile), row_file().string(),
        std::string(kStarted), fmt::format("{:.9f}", steady_seconds())}) {
    process.command.push_back(word);
  }
  return process;
}

BenchRow RowProcesses::finish(int exit_code) {
  const std::string log = text_of(scratch_ / "log");
  if (exit_code != 0) fail(exit_code, log);
  say(log);
  return read_row(text_of(row_file()));
}

// A build from before row files named a schema or a build wrote this one's.
BenchRow RowProcesses::read_row(const std::string& text) {
  using nlohmann::ordered_json;
  const std::string cure = "take a build whose bench writes " + std::string(kBenchSchema);
  const std::optional<ordered_json> file = parse_object<ordered_json>(text);
  if (!file) throw InputError(command_.front() + " wrote no row; " + cure);
  ordered_json bench{{"schema", kBenchSchema},
                     {"build", ordered_json::object()},
                     {"machine", ordered_json::object()},
                     {"rows", ordered_json::array({*file})}};
  for (const char* key : {"schema", "build"}) {
    if (file->contains(key)) bench[key] = file->at(key);
  }
  read_bench(bench, command_.front(), cure);  // throws for what is out of range
  build_ = bench["build"];
  const auto refuse = [&](const std::string& why) {
    throw InputError(
        fmt::format("{}: its row is unlike this program's ({}); {}", command_.front(), why, cure));
  };
  BenchRow row;
  try {
    row = row_from_json(*file);
  } catch (const nlohmann::json::exception& error) {
    refuse(error.what());
  }
  for (const Repeat& repeat : row.repeats) {
    if (repeat.samples.host_seconds.empty()) refuse("no host_seconds");
  }
  return row;
}

void RowProcesses::fail(int code, const std::string& log) const {
  const size_t start = log.rfind(kErrorStart);
  if (start == std::string::npos) {
    throw MachineError(fmt::format(
        "{}a process that measured ended with exit code {}; with --repeat 1 it shows why", speaker_,
        code));
  }
  const size_t begin = start + kErrorStart.size();
  const std::string message = speaker_ + log.substr(begin, log.find('\n', begin) - begin);
  if (code == kInputErrorCode) throw InputError(message);
  throw MachineError(message);
}

void RowProcesses::say(const std::string& log) {
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (said_.insert(line).second) spdlog::warn("{}{}", speaker_, line);
  }
}

}  // namespace digitron
