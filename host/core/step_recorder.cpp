#include "host/core/step_recorder.h"

#include <algorithm>

namespace digitron {

namespace {

using Clock = StepRecorder::Clock;

constexpr int kWorks = static_cast<int>(StepPart::kWaiting) + 1;
constexpr const char* kWorkNames[kWorks] = {"gather",   "forward", "loss",
                                            "backward", "update",  "waiting"};

std::string name_of(StepPart work) {
  return kWorkNames[static_cast<int>(work)];
}

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Calls f(step, mark, begin of what it marks) for all marks of a thread, in order.
template <class F>
void for_each_mark(const StepRecorder& recorder, const F& f) {
  Clock::time_point begin = recorder.begin_time();
  size_t at = 0;
  for (size_t step = 0; step < recorder.step_ends().size(); ++step) {
    for (; at < recorder.step_ends()[step]; ++at) {
      const StepRecorder::Mark& mark = recorder.marks()[at];
      f(step, mark, begin);
      begin = mark.end;
    }
  }
}

// The phases that have marks, in a step's order, and their places by work and stage.
class PhaseTable {
 public:
  PhaseTable(std::span<const StepRecorder> recorders, const std::vector<std::string>& stages)
      : stages_(stages.size()), places_(kWorks * (stages.size() + 1), -1) {
    for (const StepRecorder& recorder : recorders) {
      for (const StepRecorder::Mark& mark : recorder.marks()) key(mark.work, mark.stage) = 0;
    }
    for (int work = 0; work < kWorks; ++work) add(static_cast<StepPart>(work), stages);
  }

  const std::vector<Phase>& phases() const { return phases_; }
  size_t place(const StepRecorder::Mark& mark) const {
    return static_cast<size_t>(places_[index(mark.work, mark.stage)]);
  }

 private:
  size_t index(StepPart work, int stage) const {
    return static_cast<size_t>(work) * (stages_ + 1) + static_cast<size_t>(stage + 1);
  }
  int& key(StepPart work, int stage) { return places_[index(work, stage)]; }

  // Backward, the last stage comes first.
  void add(StepPart work, const std::vector<std::string>& stages) {
    for (int i = -1; i < static_cast<int>(stages_); ++i) {
      const bool back = work == StepPart::kBackward && i >= 0;
      const int stage = back ? static_cast<int>(stages_) - 1 - i : i;
      if (key(work, stage) < 0) continue;
      key(work, stage) = static_cast<int>(phases_.size());
      phases_.push_back(stage < 0 ? Phase{name_of(work), ""}
                                  : Phase{stages[static_cast<size_t>(stage)], name_of(work)});
    }
  }

  size_t stages_;
  std::vector<int> places_;  // -1: no marks
  std::vector<Phase> phases_;
};

}  // namespace

void StepRecorder::end_step() {
  step_ends_.push_back(marks_.size());
  // Every step has as many marks; memory is asked for once, in the first.
  if (step_ends_.size() == 1) marks_.reserve(marks_.size() * steps_);
}

std::vector<double> recorded_steps(const StepRecorder& recorder) {
  std::vector<double> steps(recorder.step_ends().size());
  for_each_mark(recorder,
                [&](size_t step, const StepRecorder::Mark& mark, Clock::time_point begin) {
                  steps[step] += seconds(begin, mark.end);
                });
  return steps;
}

Profile recorded_profile(std::span<const StepRecorder> recorders,
                         std::span<const double> step_seconds,
                         const std::vector<std::string>& stages) {
  const PhaseTable table(recorders, stages);
  const size_t phases = table.phases().size();
  std::vector<double> times(step_seconds.size() * phases), slowest(times.size());
  for (const StepRecorder& recorder : recorders) {
    std::vector<double> own(times.size());
    for_each_mark(recorder,
                  [&](size_t step, const StepRecorder::Mark& mark, Clock::time_point begin) {
                    own[step * phases + table.place(mark)] += seconds(begin, mark.end);
                  });
    for (size_t i = 0; i < own.size(); ++i) {
      times[i] += own[i] / static_cast<double>(recorders.size());
      slowest[i] = std::max(slowest[i], own[i]);
    }
  }
  return steady_profile(table.phases(), step_seconds, times, slowest);
}

std::vector<TraceEvent> recorded_trace(std::span<const StepRecorder> recorders, int first,
                                       const std::vector<std::string>& stages) {
  Clock::time_point zero = Clock::time_point::max();
  for (const StepRecorder& recorder : recorders) zero = std::min(zero, recorder.begin_time());
  std::vector<TraceEvent> events;
  for (size_t thread = 0; thread < recorders.size(); ++thread) {
    const std::string lane = "thread " + std::to_string(thread);
    size_t step_event = 0;  // the place of the newest
    int newest = first - 1;
    for_each_mark(recorders[thread], [&](size_t index, const StepRecorder::Mark& mark,
                                         Clock::time_point begin) {
      const int step = first + static_cast<int>(index);
      const double at = seconds(zero, begin), end = seconds(zero, mark.end);
      if (step != newest) {
        newest = step;
        step_event = events.size();
        events.push_back({lane, "step", "step", at, 0, step});
      }
      events[step_event].seconds = end - events[step_event].begin_seconds;
      const std::string work = name_of(mark.work);
      const std::string name =
          mark.stage < 0 ? work : stages[static_cast<size_t>(mark.stage)] + " " + work;
      events.push_back({lane, name, work, at, end - at, step, mark.block});
    });
  }
  return events;
}

}  // namespace digitron
