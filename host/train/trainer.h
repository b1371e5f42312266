// Policy of a training run, the same on every device: epochs, evaluation, logging, checkpoints, and
// when to stop. What a step does is the engine's business.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <optional>
#include <utility>

#include "host/core/engine.h"
#include "host/files/run_directory.h"
#include "host/files/run_state.h"
#include "host/text/progress.h"
#include "host/train/settings.h"
#include "host/train/step_capture.h"

namespace digitron {

struct TrainResult {
  int64_t steps = 0;  // of the whole run
  // After the last whole epoch; of a run with a validation set, Trainer::test's.
  std::optional<Metrics> test;
  bool interrupted = false;
};

class Trainer {
 public:
  // The engine has been configured and holds the data: the training set of train_count images and,
  // as the held-out one, the set that each epoch is evaluated on: the validation set of a run that
  // has one, else the test set. `stop` is looked at every 100 ms or so.
  Trainer(Engine& engine, RunDirectory& directory, const TrainSettings& settings, int train_count,
          const std::atomic<bool>& stop);

  // The steps that a profiler captures, of the run from where run() begins.
  void capture(StepCapture capture) { capture_.emplace(std::move(capture)); }

  // Trains from where `state` says that the run stands (the engine holds its parameters and other
  // states) until the last epoch or step, until patience ends, or until `stop`. Each epoch ends
  // with an evaluation, an event, a checkpoint, the state for --resume and a line in the log. An
  // interrupted epoch has an event of its own, and its parameters and state are saved. Throws
  // InputError when the loss is not finite any more: the last good checkpoint stays.
  TrainResult run(const RunState& state = {});

  // The end of a run with a validation set: the engine now holds the test set, which is evaluated
  // with the parameters of the checkpoint and gets an event of its own.
  Metrics test();

 private:
  bool train_pass();
  int next_slice(int left);
  void log_slice(const std::vector<Metrics>& slice);
  void finish_epoch();
  void finish_interrupted();
  void keep_best(const Metrics& validation, const ModelState& model);
  ModelState model_state() const;
  void save(const ModelState& state);
  void save_state();
  EpochResult epoch_result() const;
  double seconds_left() const;
  void finish_saving();
  void log_epoch(const EpochResult& result);
  void show_progress();
  [[noreturn]] void diverged() const;
  bool out_of_steps() const;
  bool out_of_patience() const;

  Engine& engine_;
  RunDirectory& directory_;
  const TrainSettings settings_;
  const int epoch_steps_;
  const std::atomic<bool>& stop_;
  ProgressLine progress_;
  std::optional<StepCapture> capture_;
  RunState state_;
  TrainResult result_;
  std::chrono::steady_clock::time_point began_{};  // run()
  int64_t steps_before_ = 0;                       // of the run, by then
  int slice_steps_ = 1;                            // how many steps the engine is given at once
  int saved_epoch_ = 0;       // whose parameters the newest checkpoint has, 0 before the first
  std::future<void> saving_;  // of the state
};

}  // namespace digitron
