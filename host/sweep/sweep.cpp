#include "host/sweep/sweep.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <chrono>

#include "host/core/error.h"
#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/files/run_record.h"
#include "host/process/process_pool.h"
#include "host/sweep/run_queue.h"
#include "host/sweep/sweep_run.h"
#include "host/text/progress.h"
#include "host/text/table.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr uint64_t kMostSeeds = 1000;

void collect(SweepResult& result, const SweepRun& run, const RunRecord& record) {
  result.seeds.push_back(run.seed);
  result.test_accuracy.push_back(*record.test_accuracy());
  if (const auto validation = record.validation_accuracy()) {
    result.validation.push_back(*validation);
  }
}

void set_significances(std::vector<SweepResult>& settings) {
  std::vector<std::optional<Statistics>> others;
  for (size_t i = 1; i < settings.size(); ++i) {
    others.push_back(statistics(settings[i].test_accuracy));
  }
  const auto tests = significances(statistics(settings.front().test_accuracy), others);
  for (size_t i = 1; i < settings.size(); ++i) settings[i].significance = tests[i - 1];
}

// How the whole stands, on a terminal.
class SweepProgress {
 public:
  explicit SweepProgress(size_t all) : all_(all) {}

  void show(size_t ended, size_t running) {
    if (!line_.due()) return;
    line_.show(fmt::format("{} of {} runs have ended, {} {} going on{}", ended, all_, running,
                           running == 1 ? "is" : "are",
                           ended == 0 ? "" : ", about " + duration_text(left(ended)) + " left"));
  }
  void clear() { line_.clear(); }

 private:
  // At the pace of those that have ended.
  double left(size_t ended) const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began_;
    return passed.count() * static_cast<double>(all_ - ended) / static_cast<double>(ended);
  }

  const size_t all_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  ProgressLine line_;
};

void run_missing(const std::vector<SweepRun>& runs, const SweepRequest& request,
                 const std::atomic<bool>& stop, SweepReport& report) {
  RunQueue queue(request, runs);
  if (queue.count() < runs.size()) {
    spdlog::info("{} of {} runs are there already", runs.size() - queue.count(), runs.size());
  }
  SweepProgress progress(queue.count());
  const auto next = [&](size_t slot) { return queue.next(slot); };
  const auto done = [&](size_t slot, int code) {
    progress.clear();
    queue.end(slot, code, stop);
  };
  run_slots(request.jobs, next, stop, done,
            [&](size_t running) { progress.show(queue.ended(), running); });
  report.failures = queue.failures();
}

// What a run said, without the program's name, which main puts before a message.
std::string without_program(const std::string& reason) {
  constexpr std::string_view kProgram = "digitron: ";
  return reason.starts_with(kProgram) ? reason.substr(kProgram.size()) : reason;
}

}  // namespace

bool SweepFailure::is_of_input() const {
  constexpr int kInputExitCode = 2;
  return exit_code == kInputExitCode;
}

std::string SweepFailure::text() const {
  return fmt::format("{} ended with exit code {}: {} (see {})", run, exit_code, reason,
                     log.string());
}

void throw_failure(const SweepReport& report) {
  if (report.failures.empty()) return;
  for (const SweepFailure& failure : report.failures) {
    if (!failure.is_of_input()) continue;
    throw InputError(failure.run + ": " + without_program(failure.reason));
  }
  const SweepFailure& first = report.failures.front();
  throw MachineError(
      fmt::format("{} of the runs failed; {}", report.failures.size(), first.text()));
}

SweepSetting parse_setting(const std::string& text) {
  const size_t colon = text.find(':');
  SweepSetting setting{text.substr(0, colon), {}};
  if (colon == std::string::npos) return setting;
  setting.options = split_words(text.substr(colon + 1));
  return setting;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  bool open = false;  // a word has begun
  char quote = 0;
  for (const char c : text) {
    const bool blank = quote == 0 && (c == ' ' || c == '\t');
    if (!blank && !open) words.emplace_back();
    open = !blank;
    if (quote != 0 ? c == quote : c == '\'' || c == '"') {
      quote = quote != 0 ? '\0' : c;
    } else if (open) {
      words.back() += c;
    }
  }
  if (quote != 0) throw InputError("a quote is left open in '" + text + "'; close it");
  return words;
}

std::vector<uint64_t> parse_seeds(const std::string& text) {
  const auto fail = [&] {
    return InputError("--seeds is '" + text + "'; give numbers and ranges, such as 1-5 or 1,2,7");
  };
  std::vector<uint64_t> seeds;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&] {
    uint64_t value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc()) throw fail();
    at = rest;
    return value;
  };
  while (true) {
    const uint64_t first = number();
    uint64_t last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
    }
    if (last < first || last - first >= kMostSeeds) throw fail();
    for (uint64_t i = 0; i <= last - first; ++i) seeds.push_back(first + i);
    if (at == end) return seeds;
    if (*at++ != ',') throw fail();
  }
}

SweepReport run_sweep(const SweepRequest& request, const std::atomic<bool>& stop) {
  const std::vector<SweepRun> runs = plan_runs(request);
  SweepReport report;
  run_missing(runs, request, stop, report);
  report.interrupted = stop;
  for (const SweepSetting& setting : request.settings) {
    report.settings.push_back({setting.name, setting.options, {}, {}, {}, {}});
  }
  for (const SweepRun& run : runs) {
    if (const auto record = finished(run)) collect(report.settings[run.setting], run, *record);
  }
  set_significances(report.settings);
  return report;
}

}  // namespace digitron
