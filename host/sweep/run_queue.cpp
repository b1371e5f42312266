#include "host/sweep/run_queue.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <fstream>

namespace digitron {

namespace {

// The program's own message where there is one: a launcher may have the last word.
std::string reason_in(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::string last;
  std::string own;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
    if (line.starts_with("digitron: ")) own = line;
  }
  return own.empty() ? last : own;
}

}  // namespace

RunQueue::RunQueue(const SweepRequest& request, const std::vector<SweepRun>& runs)
    : request_(request) {
  for (const SweepRun& run : runs) {
    if (!finished(run)) waiting_.push_back({&run});
  }
  count_ = waiting_.size();
}

std::vector<std::string> RunQueue::place(size_t slot) const {
  std::vector<std::string> options;
  // A launcher gives a run the cores that it has for it.
  if (request_.jobs > 1 && request_.launch.empty()) options = {"--threads", "1"};
  const std::vector<std::string>& devices = request_.devices;
  if (!devices.empty()) {
    options.insert(options.end(), {"--device", devices[slot % devices.size()]});
  }
  return options;
}

std::optional<Job> RunQueue::next(size_t slot) {
  if (waiting_.empty()) return std::nullopt;
  Attempt attempt = waiting_.front();
  waiting_.pop_front();
  const SweepRun& run = *attempt.run;
  attempt.resumes = !attempt.anew && can_resume(run);
  running_.insert_or_assign(slot, attempt);
  std::error_code error;  // the log cannot be opened then, which is told
  std::filesystem::create_directories(run.directory, error);
  std::vector<std::string> command = request_.launch;
  for (std::string& word :
       attempt.resumes ? resume_command(run, place(slot)) : begin_command(run, place(slot))) {
    command.push_back(std::move(word));
  }
  return Job{std::move(command), run.log()};
}

// Whatever the exit code: a launcher that fails at the end takes nothing from a run that is whole.
void RunQueue::end(size_t slot, int exit_code, bool stopped) {
  const Attempt attempt = running_.extract(slot).mapped();
  if (const std::optional<RunRecord> record = finished(*attempt.run)) {
    ++ended_;
    spdlog::info("[{}/{}] {}: {:.2f}%", ended_, count_, attempt.run->name,
                 100 * *record->test_accuracy());
  } else if (!stopped) {
    fail(attempt, exit_code);
  }
}

void RunQueue::fail(Attempt attempt, int exit_code) {
  const SweepRun& run = *attempt.run;
  const SweepFailure failure{run.name, exit_code, reason_in(run.log()), run.log()};
  if (attempt.resumes && failure.is_of_input()) {
    attempt.anew = true;
    spdlog::warn("{} cannot be continued and begins anew: {}", run.name, failure.reason);
    waiting_.push_back(attempt);
  } else if (!failure.is_of_input() && attempt.failed < request_.retries) {
    ++attempt.failed;
    spdlog::warn("{} ended with exit code {}: {}; trying again, {} of {}", run.name, exit_code,
                 failure.reason, attempt.failed, request_.retries);
    waiting_.push_back(attempt);
  } else {
    ++ended_;
    spdlog::warn("{}", failure.text());
    failures_.push_back(failure);
  }
}

}  // namespace digitron
