// What a training run is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/core/engine.h"

namespace digitron {

enum class Schedule { kConstant, kStep, kCosine, kOneCycle };

// The defaults are the reference job.
struct TrainSettings {
  int epochs = 10;
  int batch = 64;
  double lr = 0.01;
  double momentum = 0.9;
  double weight_decay = 0;
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double ema = 0;  // decay of the parameters' moving average, 0: none
  Schedule schedule = Schedule::kConstant;
  std::optional<double> warmup;  // in epochs
  int step_epochs = 5;           // of the schedule "step"
  double gamma = 0.1;
  double label_smoothing = 0;
  double shift = 0;   // augmentation: pixels
  double rotate = 0;  // degrees
  double scale = 0;   // fraction
  double shear = 0;   // degrees
  uint64_t seed = 1;
  bool shuffle = true;
  int validation = 0;                // training images, the last ones, set aside for validation
  std::optional<int> patience;       // epochs without a better validation loss that end the run
  std::optional<int64_t> max_steps;  // of the whole run
  bool log_steps = false;            // an event for every step
};

// "sgd", "nesterov", "adam", "adamw"; "constant", "step", "cosine", "one-cycle".
std::string to_text(OptimizerKind kind);
std::string to_text(Schedule schedule);
// Throw InputError that lists the words.
OptimizerKind parse_optimizer(const std::string& word);
Schedule parse_schedule(const std::string& word);

// What a model is trained with unless told otherwise: the reference job, and for lenet5-best what a
// sweep over validation accuracy found (tools/results).
TrainSettings default_settings(const Model& model);

// Throws InputError for a setting that makes no sense, naming its option and range. The batch
// and --validation are compared with the data set by check_counts, once that is loaded.
void check_settings(const TrainSettings& settings);
void check_counts(const TrainSettings& settings, int train_count);

// One line for the log: the reference job's settings always, others where they matter.
std::string settings_text(const TrainSettings& settings);

// What the engine needs of them.
Training training_of(const TrainSettings& settings);

}  // namespace digitron
