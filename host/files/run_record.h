// A run, read from its directory. What is broken, missing or of the wrong type there becomes a line
// of `problems`; the rest is read all the same.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "host/core/plan.h"
#include "host/files/json.h"
#include "host/files/model_state.h"

namespace digitron {

struct EpochRecord {
  int epoch = 0;
  std::optional<double> train_loss;
  std::optional<double> train_accuracy;  // accuracies are fractions
  // A run with a validation set is tested at its end alone: these stand in its last epoch.
  std::optional<double> test_loss;
  std::optional<double> test_accuracy;
  std::optional<double> validation_loss;
  std::optional<double> validation_accuracy;
  std::optional<double> seconds;  // that the training took, without evaluation
  std::optional<double> images_per_second;
  bool interrupted = false;
};

// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann's move constructor, which throws nothing
struct RunRecord {
  std::filesystem::path directory;
  bool has_description = false;        // there is a file run.json, whole or damaged
  nlohmann::ordered_json description;  // its object; an empty object when it cannot be read
  std::vector<EpochRecord> epochs;     // ascending, each epoch once
  std::string model_name;
  std::optional<Plan> plan;  // nothing when this version does not know the model
  ModelState state;          // of the checkpoint; without parameters when it cannot be read
  std::vector<std::string> problems;

  // The value in run.json under these keys, each within the one before; nullptr where there is
  // none.
  const nlohmann::ordered_json* find(std::initializer_list<const char*> keys) const;
  // The same as value_text gives it; "" where there is none or null.
  std::string text(std::initializer_list<const char*> keys) const;
  // The last epoch's; nothing when it was interrupted.
  std::optional<double> test_accuracy() const;
  std::optional<double> validation_accuracy() const;
  // Whether nothing is left to train, and the test at the end is there too; false also where
  // run.json does not tell. A run that was stopped between two epochs has whole ones alone.
  bool has_ended() const;
  // There is nothing to show but the problems.
  bool is_hollow() const { return description.empty() && epochs.empty(); }
};

// Reads run.json, metrics.jsonl and model.safetensors. Throws nothing for what is in them, and
// MachineError when the disk does not give it.
RunRecord read_run(const std::filesystem::path& directory);

// Whether there is a run.json beside the checkpoint, and it is of another run than its state.
bool is_of_another_run(const std::filesystem::path& checkpoint, const ModelState& state);

// A JSON value for people: text without quotes, "yes" and "no", "none" for null, the rest as JSON.
std::string value_text(const nlohmann::ordered_json& value);

}  // namespace digitron
