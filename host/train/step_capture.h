// Which of a run's steps a profiler captures: --profile-steps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "host/core/engine.h"

namespace digitron {

// Steps `first` to `last` of a run, both included, counted from 1 over all its epochs.
struct StepRange {
  int64_t first;
  int64_t last;
  const char* option = "--profile-steps";  // that gave it, for messages
};

// "200:240". Throws InputError, naming the option.
StepRange parse_step_range(const char* option, const std::string& text);

// How a run's steps lie in its epochs, and how the engine takes them.
struct StepLayout {
  int whole;                // an epoch's steps of whole batches
  int all;                  // with the ragged one, if there is one
  int64_t done;             // steps of the run before this process
  int64_t total;            // steps of the run
  int steps_per_graph = 0;  // as EngineDescription has it; 0: nothing is recorded
};

// Tells the profilers that listen when to start and to stop, and says how many steps the engine is
// to be given at once: what comes before the captured steps is cut so that every graph which they
// launch is recorded by then, and they are given together, as far as an epoch goes.
class StepCapture {
 public:
  // start, stop: called before the first step and after the last. Throws InputError for steps that
  // the run does not have, or that come before what they launch is recorded, with the first step
  // allowed.
  StepCapture(StepRange range, const StepLayout& layout, std::function<void()> start,
              std::function<void()> stop);

  // How many steps come next, when `done` of the run are done, at most `left` fit the call and
  // `wanted` would be taken without a capture; at least 1. Starts the profilers when it is time.
  int next(int64_t done, int left, int wanted);

  // To be told after each call of train; stops the profilers when it is time.
  void finished(int64_t done);

 private:
  // What is left to do until all is recorded: a graph's steps are made one by one the first time,
  // and recorded the second.
  struct WarmUp {
    int graphs;   // calls of steps_per_graph steps
    int singles;  // calls of one step
    bool over() const { return graphs == 0 && singles == 0; }
    int next(int64_t done, const StepLayout& layout);
  };
  WarmUp warm_up() const;
  int64_t first_allowed() const;
  void check_ragged() const;

  const StepRange range_;
  const StepLayout layout_;
  const std::function<void()> start_, stop_;
  WarmUp warm_up_;
};

// By CUDA's profilers. steps_per_graph of the layout is the engine's; one that is not on a GPU has
// nothing to tell them, which is logged.
StepCapture profiler_capture(StepRange range, StepLayout layout, const Engine& engine);

}  // namespace digitron
