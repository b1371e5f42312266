#include "host/bench/trace_steps.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/core/error.h"
#include "host/devices/cuda_module.h"
#include "host/train/schedule.h"

namespace digitron {

namespace {

// A run's steps, which count from 0 here, as calls of an engine.
struct TracedRun {
  Engine& engine;
  const TrainSettings& settings;
  int whole;  // an epoch's steps of whole batches
  int all;    // with the ragged one

  int epoch(int64_t step) const { return static_cast<int>(step / all) + 1; }
  int place(int64_t step) const { return static_cast<int>(step % all); }
  int64_t total() const { return int64_t{settings.epochs} * all; }

  // The rates of steps [first, first + count).
  std::vector<StepRates> rates(int64_t first, int count) const {
    std::vector<StepRates> rates;
    for (int64_t step = first; step < first + count; ++step) {
      rates.push_back(
          step_rates(engine.training().optimizer, learning_rate(settings, step, all), step + 1));
    }
    return rates;
  }
  // They must be of one epoch.
  void train(int64_t first, int count) const {
    engine.train(epoch(first), place(first), rates(first, count));
  }
  // Likewise, and of whole batches. Events have a step's number in the run, from 1.
  std::vector<TraceEvent> profile(int64_t first, int count) const {
    std::vector<TraceEvent> events =
        engine.profile(epoch(first), place(first), rates(first, count), true).trace;
    const int64_t before = first - place(first);
    for (TraceEvent& event : events) {
      if (event.step >= 0) event.step += static_cast<int>(before) + 1;
    }
    return events;
  }
};

// By the engine's own clocks.
std::vector<TraceEvent> trace_by_engine(const TracedRun& run, StepRange range) {
  const int64_t first = range.first - 1;
  const int count = static_cast<int>(std::min<int64_t>(range.last - first, run.total()));
  if (first >= run.total() || run.place(first) + count > run.whole) {
    throw InputError(fmt::format(
        "{} {}:{} is not of one epoch's whole batches; an epoch has {} of them, the run {} epochs",
        range.option, range.first, range.last, run.whole, run.settings.epochs));
  }
  for (int64_t done = 0; done < first;) {
    const auto next = static_cast<int>(std::min<int64_t>(run.all - run.place(done), first - done));
    run.train(done, next);
    done += next;
  }
  return run.profile(first, count);
}

// The phases of one step, where the engine's kernels have clocks: the last one whole up to `last`,
// made again, outside graphs, whose kernels have none.
std::vector<TraceEvent> trace_phases(const TracedRun& run, int64_t last) {
  const int64_t step = run.place(last - 1) < run.whole ? last - 1 : last - 2;
  if (run.profile(step, 1).empty()) return {};  // else the kernel has been loaded, and is in caches
  start_cuda_profiler();
  std::vector<TraceEvent> phases = run.profile(step, 1);
  stop_cuda_profiler();
  return phases;
}

// By CUPTI.
std::vector<TraceEvent> trace_on_gpu(const TracedRun& run, StepRange range, int steps_per_graph) {
  const StepLayout layout{run.whole, run.all, 0, run.total(), steps_per_graph};
  StepCapture capture(range, layout, start_cuda_profiler, stop_cuda_profiler);
  open_cuda_trace();
  for (int64_t done = 0; done < range.last;) {
    const int next = capture.next(done, run.all - run.place(done), run.all);
    run.train(done, next);
    done += next;
    capture.finished(done);
  }
  const std::vector<TraceEvent> phases = trace_phases(run, range.last);
  std::vector<TraceEvent> events = close_cuda_trace();
  if (!events.empty()) add_phases(events, phases);
  return events;
}

}  // namespace

void add_phases(std::vector<TraceEvent>& kernels, std::span<const TraceEvent> phases) {
  if (phases.empty()) return;
  const auto kernel = std::find_if(kernels.begin(), kernels.end(), [&](const TraceEvent& event) {
    return event.name.starts_with(phases[0].name + ": ");
  });
  const TraceEvent& last = kernels.back();
  const double begin =
      kernel != kernels.end() ? kernel->begin_seconds : last.begin_seconds + last.seconds;
  for (TraceEvent phase : phases) {
    phase.begin_seconds += begin;
    kernels.push_back(std::move(phase));
  }
}

std::vector<TraceEvent> trace_steps(Engine& engine, int train_count, const TrainSettings& settings,
                                    StepRange range) {
  const TracedRun run{engine, settings, train_count / settings.batch,
                      steps_per_epoch(train_count, settings.batch)};
  const std::optional<int> steps_per_graph = engine.describe().steps_per_graph;
  std::vector<TraceEvent> events =
      steps_per_graph ? trace_on_gpu(run, range, *steps_per_graph) : trace_by_engine(run, range);
  if (!events.empty()) return events;
  if (steps_per_graph) throw MachineError("CUPTI has told of no kernel; take --with nsys");
  throw InputError(engine.description() + " draws no timeline; take --device cpu");
}

}  // namespace digitron
