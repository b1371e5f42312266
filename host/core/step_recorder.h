// What an engine's threads on the host do in profiled training steps, and when.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/core/profile.h"

namespace digitron {

// The kinds of work, in the order in which a step has them. An update makes, on the CPU, a layer's
// gradients over the batch too.
enum class StepPart : uint8_t { kGather, kForward, kLoss, kBackward, kUpdate, kWaiting };

// One thread's record. It marks the end of each piece of work, where the next begins: so there is
// no time of a step that belongs to none.
class alignas(64) StepRecorder {
 public:
  using Clock = std::chrono::steady_clock;

  struct Mark {
    Clock::time_point end;
    StepPart work;
    int stage;  // -1: of none
    int block;  // likewise
  };

  // To be called by the thread itself where the first of `steps` steps begins.
  void begin(size_t steps) {
    steps_ = steps;
    begin_ = Clock::now();
  }
  void mark(StepPart work, int stage, int block) {
    marks_.push_back({Clock::now(), work, stage, block});
  }
  void end_step();

  Clock::time_point begin_time() const { return begin_; }
  std::span<const Mark> marks() const { return marks_; }
  // Where each step's marks end.
  std::span<const size_t> step_ends() const { return step_ends_; }

 private:
  size_t steps_ = 0;
  Clock::time_point begin_;
  std::vector<Mark> marks_;
  std::vector<size_t> step_ends_;
};

// recorder: null in steps that nobody profiles.
inline void mark(StepRecorder* recorder, StepPart work, int stage = -1, int block = -1) {
  if (recorder) recorder->mark(work, stage, block);
}

// How long each step of a thread took.
std::vector<double> recorded_steps(const StepRecorder& recorder);

// Of the recorders of all threads after the same steps, of which step_seconds are the whole times.
// A phase's time is the threads' mean, so that the sum over the phases, waiting among them, is a
// step's. stages: their names.
Profile recorded_profile(std::span<const StepRecorder> recorders,
                         std::span<const double> step_seconds,
                         const std::vector<std::string>& stages);

// A lane a thread: its steps, and in each an event for every mark. The first was step `first` of
// its epoch.
std::vector<TraceEvent> recorded_trace(std::span<const StepRecorder> recorders, int first,
                                       const std::vector<std::string>& stages);

}  // namespace digitron
