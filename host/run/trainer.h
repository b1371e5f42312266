// Policy of a training run, the same on every device: epochs, evaluation, logging, checkpoints, and
// when to stop. What a step does is the engine's business.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "host/engine.h"
#include "host/run/progress.h"
#include "host/run/run_directory.h"
#include "host/run/train_settings.h"

namespace digitron {

struct TrainResult {
  int64_t steps = 0;            // of the whole run
  std::optional<Metrics> test;  // after the last whole epoch
  bool interrupted = false;
};

class Trainer {
 public:
  // The engine holds the data and the initial parameters. `stop` is looked at every 100 ms or so.
  // batches_tracked: steps behind the running statistics that the engine begins with.
  Trainer(Engine& engine, RunDirectory& directory, const TrainSettings& settings, int train_count,
          const std::atomic<bool>& stop, int64_t batches_tracked = 0);

  // Trains until the last epoch or step, or until `stop`; each epoch ends with an evaluation, an
  // event, a checkpoint and a line in the log. An interrupted epoch has an event of its own and its
  // parameters are saved. Throws InputError when the loss is not finite any more: the last good
  // checkpoint stays.
  TrainResult run();

 private:
  enum class Pass { kWhole, kInterrupted };

  Pass train_pass(EpochResult& result);
  void log_slice(int epoch, const std::vector<Metrics>& slice);
  void finish_epoch(EpochResult& result);
  void finish_interrupted(const EpochResult& result);
  void save(int epoch);
  void show_progress(const EpochResult& result, int step);
  [[noreturn]] void diverged(int epoch) const;
  bool out_of_steps() const;

  Engine& engine_;
  RunDirectory& directory_;
  const TrainSettings settings_;
  const int epoch_steps_;
  const int64_t batches_tracked_;
  const std::atomic<bool>& stop_;
  ProgressLine progress_;
  TrainResult result_;
  int slice_steps_ = 1;  // how many steps the engine is given at once
  int saved_epoch_ = 0;  // of this run's newest checkpoint, 0 before the first
};

}  // namespace digitron
