#include "host/bench/against.h"

#include <sched.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "host/bench/row_processes.h"
#include "host/bench/turns.h"
#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/idx.h"
#include "host/files/atomic_file.h"
#include "host/machine/machine.h"
#include "host/process/process_pool.h"
#include "host/process/run_tool.h"
#include "host/text/text.h"

namespace digitron {

namespace {

// What a process that measures one row is not told: an older build does not know these options.
constexpr std::array<std::string_view, 3> kOfPairs{"--against", "--margin", "--fail-slower"};

void write_idx(const std::filesystem::path& path, const std::vector<uint8_t>& header,
               const std::vector<uint8_t>& bytes) {
  std::string text(header.begin(), header.end());
  text.append(bytes.begin(), bytes.end());
  write_file_atomically(path, text, Sync::kNo);
}

// Synthetic digits take two seconds to draw, of which a pair measures a tenth: they are drawn once.
// Returns the --data of the processes.
std::string drawn_once(const std::string& source, const ScratchDirectory& scratch) {
  if (source != "synthetic") return source;
  const Data data = load_data(source);
  for (const auto& [split, images] : {std::pair("train", data.train), {"t10k", data.test}}) {
    const auto count = static_cast<uint32_t>(images->count());
    const std::string start = (scratch / split).string();
    write_idx(start + "-images-idx3-ubyte", idx_images_header(count, data.task.image),
              images->images);
    write_idx(start + "-labels-idx1-ubyte", idx_labels_header(count), images->labels);
  }
  return (scratch / "").string();
}

// The last word for an option counts, so those that are added hold, whatever was given.
std::vector<std::string> row_command(const BenchRequest& request, const std::string& program,
                                     const std::string& data) {
  std::vector<std::string> command{program};
  for (size_t i = 1; i < request.command.size(); ++i) {
    const std::string& word = request.command[i];
    const std::string name = word.substr(0, word.find('='));
    if (std::find(kOfPairs.begin(), kOfPairs.end(), name) == kOfPairs.end()) {
      command.push_back(word);
    } else if (name == word) {
      ++i;  // its value
    }
  }
  if (!data.empty()) command.insert(command.end(), {"--data", data});
  for (const auto& [option, value] : {std::pair("--warmup", request.sampling.warmup),
                                      std::pair("--min-time", request.sampling.min_time),
                                      std::pair("--timeout", request.sampling.min_time)}) {
    command.insert(command.end(), {option, fmt::format("{}", value)});
  }
  return command;
}

// A contender at work.
struct Runner {
  Contender& contender;
  RowProcesses processes;

  void finish(size_t row, int exit_code) {
    BenchRow measured = processes.finish(exit_code);
    std::vector<BenchRow>& rows = contender.rows;
    if (row == rows.size()) {
      contender.build = processes.build();
      rows.push_back(std::move(measured));
    } else {
      rows[row].repeats.push_back(std::move(measured.repeats.front()));
    }
  }
};

// Keeps what is started meanwhile on as many CPUs as it has threads: two processes on CPUs of their
// own would meet each CPU's speed, and not the same. `which` of the usable CPUs is first.
class SameCpus {
 public:
  SameCpus(std::optional<int> threads, size_t which) {
    const std::vector<int> usable = usable_cpus();
    const auto wanted = static_cast<size_t>(threads.value_or(0));
    if (wanted == 0 || wanted >= usable.size()) return;
    if (sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t chosen{};
    for (size_t i = 0; i < wanted; ++i) {
      CPU_SET(static_cast<size_t>(usable[(which + i) % usable.size()]), &chosen);
    }
    changed_ = sched_setaffinity(0, sizeof chosen, &chosen) == 0;
  }
  ~SameCpus() {
    if (changed_) sched_setaffinity(0, sizeof before_, &before_);
  }
  SameCpus(const SameCpus&) = delete;
  SameCpus& operator=(const SameCpus&) = delete;

 private:
  cpu_set_t before_{};
  bool changed_ = false;
};

BenchFile file_of(const Contender& contender) {
  nlohmann::ordered_json bench{{"schema", kBenchSchema},
                               {"build", contender.build},
                               {"machine", machine_json()},
                               {"rows", nlohmann::ordered_json::array()}};
  for (const BenchRow& row : contender.rows) bench["rows"].push_back(row_json(row));
  return read_bench(bench, contender.program, "take another build");
}

}  // namespace

std::string require_digitron(const std::string& program) {
  std::string path = std::filesystem::absolute(program).string();
  const ToolResult version = run_tool({path, "--version"}, false);
  if (version.exit_code == 0 && version.output.starts_with("digitron ")) return path;
  const std::string words = version.output.substr(0, version.output.find('\n'));
  throw InputError(fmt::format(
      "--against {} is no digitron that runs here: {} --version says '{}' (exit code {}); give the "
      "path of another build of digitron",
      program, path, shortened(one_line(words), 100), version.exit_code));
}

std::optional<Contest> measure_against(
    const BenchRequest& request, const std::vector<RowRequest>& wanted,
    const std::string& old_program, const std::string& new_program, const CompareSettings& settings,
    const std::atomic<bool>& stop, const BenchProgress& progress) {
  const ScratchDirectory scratch;
  const std::string data = drawn_once(request.data, scratch);
  Contest contest{{old_program}, {new_program}, {}};
  std::array<Runner, 2> runners{
      Runner{contest.old_one, RowProcesses(row_command(request, old_program, data), stop, true)},
      Runner{contest.new_one, RowProcesses(row_command(request, new_program, data), stop)}};
  const auto measure = [&](size_t row, size_t pair) {
    const TurnPipes pipes(scratch / "");
    std::vector<Job> jobs;
    for (size_t i = 0; i < 2; ++i) {
      jobs.push_back(runners.at(i).processes.job(row));
      jobs.back().command.insert(jobs.back().command.end(),
                                 {kMyTurn, pipes.of(i), kYourTurn, pipes.of(1 - i)});
    }
    const DeviceRequest& device = wanted[row].device;
    const SameCpus same(device.device == "reference" ? 1 : device.threads, pair / 2);
    std::array<int, 2> codes{};
    pipes.begin(pair % 2);
    run_jobs(jobs, 2, stop, [&](size_t process, int exit_code) {
      codes.at(process) = exit_code;
      pipes.leave_to(1 - process);
    });
    if (stop) return false;
    for (size_t i = 0; i < 2; ++i) runners.at(i).finish(row, codes.at(i));
    return true;
  };
  for (int pair = 0; pair < request.repeat; ++pair) {
    for (size_t row = 0; row < wanted.size(); ++row) {
      progress(static_cast<size_t>(pair) * wanted.size() + row, wanted[row]);
      if (!measure(row, static_cast<size_t>(pair))) return std::nullopt;
    }
    // Builds whose rows are not the same are better known after the first pair.
    if (pair == 0 || pair + 1 == request.repeat) {
      contest.comparison = compare(file_of(contest.old_one), file_of(contest.new_one), settings);
    }
  }
  return contest;
}

std::string against_text(const Contest& contest, bool markdown) {
  return comparison_text(file_of(contest.old_one), file_of(contest.new_one), contest.comparison,
                         markdown);
}

nlohmann::ordered_json against_json(const Contest& contest) {
  nlohmann::ordered_json json{{"program", valid_utf8(contest.old_one.program)},
                              {"build", contest.old_one.build},
                              {"verdicts", verdicts_json(contest.comparison)},
                              {"rows", nlohmann::ordered_json::array()}};
  for (const BenchRow& row : contest.old_one.rows) json["rows"].push_back(row_json(row));
  return json;
}

}  // namespace digitron
