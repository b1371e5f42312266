#include "host/cpu/cpu_threads.h"

#include <algorithm>

namespace digitron {

namespace {

OnTooFew on_too_few(const ThreadRequest& request) {
  return std::holds_alternative<int>(request) ? OnTooFew::kThrow : OnTooFew::kGoOn;
}

std::vector<int> counts_of(const ThreadRequest& request, int most) {
  return std::holds_alternative<int>(request) ? std::vector{most} : thread_counts(most);
}

}  // namespace

int most_threads(const ThreadRequest& request) {
  const auto* cores = std::get_if<UsableCores>(&request);
  return cores ? cores->count() : std::get<int>(request);
}

CpuThreads::CpuThreads(const ThreadRequest& request, int useful)
    : request_(request),
      useful_(useful),
      team_(most_threads(request), on_too_few(request)),
      tuner_(counts_of(request, std::min(team_.size(), useful))) {}

std::string CpuThreads::line() const {
  const int size = team_.size();
  const char* up_to = std::holds_alternative<UsableCores>(request_) && size > 1 ? "up to " : "";
  return up_to + std::to_string(size) + (size == 1 ? " thread" : " threads");
}

std::string CpuThreads::reason() const {
  const auto* cores = std::get_if<UsableCores>(&request_);
  std::string reason;
  if (cores) {
    reason =
        team_.size() == 1 ? "1: " : "up to " + std::to_string(team_.size()) + ", as is fastest: ";
    reason += cores->text();
    if (!team_.shortage().empty()) {
      reason += ", but no more threads could be started (" + team_.shortage() + ')';
    }
  } else if (useful_ < team_.size()) {
    reason = std::to_string(team_.size()) + " asked for";
  }
  if (useful_ < team_.size()) {
    reason += "; a training step of this batch has work for " + std::to_string(useful_) +
              ", and more would only wait";
  }
  return reason;
}

}  // namespace digitron
