// What a training run is asked to do, and how each setting is described: the command line,
// run.json,
// --resume, the checks and the log all read one table, in settings_table.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "host/core/engine.h"

namespace digitron {

enum class Schedule { kConstant, kStep, kCosine, kOneCycle };

// The defaults are the reference job. run.json lists the settings in this order.
struct TrainSettings {
  int epochs = 10;
  int batch = 64;
  double lr = 0.01;
  double momentum = 0.9;
  double weight_decay = 0;
  uint64_t seed = 1;
  bool shuffle = true;
  std::optional<int64_t> max_steps = {};  // of the whole run
  bool log_steps = false;                 // an event for every step
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double ema = 0;  // decay of the parameters' moving average, 0: none
  Schedule schedule = Schedule::kConstant;
  std::optional<double> warmup = {};  // in epochs
  int step_epochs = 5;                // for the schedule "step"
  double gamma = 0.1;                 // for the schedule "step"
  double label_smoothing = 0;
  double shift = 0;                  // augmentation: pixels
  double rotate = 0;                 // degrees
  double scale = 0;                  // fraction
  double shear = 0;                  // degrees
  int validation = 0;                // training images, the last ones, set aside for validation
  std::optional<int> patience = {};  // epochs without a better validation loss that end the run
};

// The numbers that a setting may be, ends included. An error message tells the user to give `give`,
// in which {0} and {1} stand for the ends, "such as" the example. Without `give` anything will do.
struct Limits {
  double least = 0;
  double most = 0;
  const char* give = nullptr;
  const char* example = nullptr;
};

// A row of the table.
struct Setting {
  using Member =
      std::variant<int TrainSettings::*, uint64_t TrainSettings::*, double TrainSettings::*,
                   bool TrainSettings::*, std::optional<int> TrainSettings::*,
                   std::optional<int64_t> TrainSettings::*, std::optional<double> TrainSettings::*,
                   OptimizerKind TrainSettings::*, Schedule TrainSettings::*>;

  const char* name;  // in run.json
  Member member;
  const char* group;  // in the help
  const char* help;
  const char* log = nullptr;  // its part of settings_text; {} stands for the value
  Limits limits = {};
  bool (*is_logged)(const TrainSettings&) = nullptr;  // nullptr: where it is not the default
  const char* type = nullptr;  // what the help calls the value; nullptr: INT, FLOAT or WORD

  // "--label-smoothing" for label_smoothing; "--no-shuffle" for a flag that is on by default.
  std::string option() const;
  bool is_default(const TrainSettings& settings) const;
  // Its value as the user writes it, "" where it is not set.
  std::string text(const TrainSettings& settings) const;

  // Calls f with the setting's value in `settings`.
  template <class Settings, class F>
  auto with_value(Settings&& settings, F f) const {
    return std::visit([&](auto pointer) { return f(settings.*pointer); }, member);
  }
};

// The table, in the order of the help and of the log.
std::span<const Setting> all_settings();

// Whether a training step at a given batch and rate depends on it; the other settings say how many
// steps there are, at which rates, and what is read and written around them.
bool changes_step(const Setting& setting);

// What --augment stands for.
inline constexpr TrainSettings kAugmented{.shift = 2, .rotate = 10, .scale = 0.1, .shear = 5};

// What a model is trained with unless told otherwise: the reference job, or its recipe.
TrainSettings recipe_of(std::string_view model_id);

// "sgd", "nesterov", "adam", "adamw"; "constant", "step", "cosine", "one-cycle".
std::string to_text(OptimizerKind kind);
std::string to_text(Schedule schedule);
// Throw InputError that lists the words.
void parse(const std::string& word, OptimizerKind& kind);
void parse(const std::string& word, Schedule& schedule);

// Throws InputError for a setting that makes no sense, naming its option and limits. The batch
// and --validation are compared with the data set by check_counts, once that is loaded.
void check_settings(const TrainSettings& settings);
void check_counts(const TrainSettings& settings, int train_count);

// One line for the log: the reference job's settings always, others where they matter.
std::string settings_text(const TrainSettings& settings);

// What the engine needs of them.
Training training_of(const TrainSettings& settings);

}  // namespace digitron
