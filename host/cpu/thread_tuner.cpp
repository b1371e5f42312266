#include "host/cpu/thread_tuner.h"

#include <cmath>
#include <utility>

namespace digitron {

namespace {

// Where threads outnumber cores, a scheduler gives each some milliseconds in turn: a step that
// waits for a thread that has no core is ten times as long as the ones around it, and counts.
constexpr double kWindowSeconds = 0.02;
constexpr int kWindowSteps = 5;
constexpr size_t kRecentWindows = 3;
constexpr size_t kFirstSteps = 3;  // of a count of which nothing is known
// What a trial must gain, so that noise does not change the count.
constexpr double kGain = 0.95;
// A trial whose fastest step is this much slower than the best's mean is lost.
constexpr double kLost = 1.1;
// A trial may cost one part in so many of the time.
constexpr double kEarnedBack = 70;
constexpr double kLeastPause = 0.1;  // seconds
// Something has changed when steps take so many times what they took at the last trial.
constexpr double kChanged = 1.25;

}  // namespace

std::vector<int> thread_counts(int most) {
  std::vector<int> counts;
  for (int count = 1; count < most; count *= 2) counts.push_back(count);
  counts.push_back(most);
  return counts;
}

void ThreadTuner::Window::add(double step) {
  paid += step;
  ++paid_steps;
  if (!std::exchange(settled, true)) return;
  ++steps;
  seconds += step;
  least = std::min(least, step);
}

bool ThreadTuner::Window::full() const {
  return seconds >= kWindowSeconds && steps >= kWindowSteps;
}

ThreadTuner::ThreadTuner(std::vector<int> counts)
    : counts_(std::move(counts)), best_(counts_.size() - 1) {}

size_t ThreadTuner::steps() const {
  if (counts_.size() == 1) return std::numeric_limits<size_t>::max();
  const bool unknown = window_.steps == 0 && (trying_ || recent_.empty());
  if (unknown) return kFirstSteps;
  const double step = window_.steps > 0 ? window_.mean() : best_mean();
  const double left = std::ceil((kWindowSeconds - window_.seconds) / step);
  return static_cast<size_t>(std::max<double>(left, std::max(1, kWindowSteps - window_.steps)));
}

void ThreadTuner::took(std::span<const double> seconds) {
  if (counts_.size() == 1) return;
  for (const double step : seconds) {
    window_.add(step);
    since_trial_ += step;
  }
  if (window_.steps == 0) return;
  trying_ ? judge_trial() : judge_best();
}

double ThreadTuner::best_mean() const {
  std::vector<double> sorted(recent_.begin(), recent_.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

void ThreadTuner::judge_best() {
  if (!window_.full()) return;
  recent_.push_back(window_.mean());
  if (recent_.size() > kRecentWindows) recent_.pop_front();
  window_ = {.settled = true};
  const bool changed = best_mean() > kChanged * mean_at_trial_;
  if (since_trial_ >= (changed ? std::min(kLeastPause, pause_) : pause_)) begin_trial();
}

void ThreadTuner::begin_trial() {
  const bool at_end = direction_ < 0 ? best_ == 0 : is_most();
  if (at_end) direction_ = -direction_;
  tried_ = direction_ < 0 ? best_ - 1 : best_ + 1;
  trying_ = true;
  mean_at_trial_ = best_mean();
  window_ = {};
}

void ThreadTuner::judge_trial() {
  const bool lost = window_.least > kLost * best_mean();
  if (!lost && !window_.full()) return;
  trying_ = false;
  since_trial_ = 0;
  if (!lost && window_.mean() < kGain * best_mean()) {
    best_ = tried_;
    recent_ = {window_.mean()};
    const bool goes_on = direction_ < 0 ? best_ > 0 : !is_most();
    pause_ = goes_on ? 0 : kLeastPause;
  } else {
    const double cost = window_.paid - window_.paid_steps * best_mean();
    pause_ = std::max(kLeastPause, kEarnedBack * cost);
    direction_ = -direction_;
  }
  window_ = {};
}

}  // namespace digitron
