// Run directories for the tests of reports.
#pragma once

#include <string>
#include <vector>

#include "host/core/plan.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "tests/data_testing.h"

namespace digitron::testing {

inline nlohmann::ordered_json run_json(const std::string& model, int seed, int epochs) {
  const Model found = find_model(model);
  nlohmann::ordered_json run;
  run["digitron"] = "0.1.0";
  run["command"] = {"digitron", "train"};
  run["model"] = {{"id", found.id}, {"name", found.name}, {"text", to_text(found)}};
  run["device"] = {{"description", "CPU"}};
  run["precision"] = "fp32";
  run["data"] = {
      {"source", "nowhere"}, {"description", "MNIST"}, {"is_mnist", true}, {"sha256", "abc"}};
  run["settings"] = {{"epochs", epochs}, {"lr", 0.01}, {"seed", seed}, {"max_steps", nullptr}};
  return run;
}

inline std::string epoch_line(int epoch, double test_accuracy) {
  const nlohmann::ordered_json event{{"event", "epoch"},
                                     {"epoch", epoch},
                                     {"train_loss", 0.5 / epoch},
                                     {"train_accuracy", 0.75},
                                     {"test_loss", 0.25 / epoch},
                                     {"test_accuracy", test_accuracy},
                                     {"seconds", 1.5},
                                     {"images_per_second", 40000.0}};
  return event.dump() + "\n";
}

// A whole run; one epoch for each accuracy.
inline void write_run(const std::filesystem::path& directory, const std::string& model, int seed,
                      const std::vector<double>& test_accuracies) {
  const int epochs = static_cast<int>(test_accuracies.size());
  write_file(directory / "run.json", run_json(model, seed, epochs).dump());
  std::string metrics;
  for (int i = 0; i < epochs; ++i) {
    metrics += epoch_line(i + 1, test_accuracies[static_cast<size_t>(i)]);
  }
  write_file(directory / "metrics.jsonl", metrics);
  const Plan plan = make_plan(find_model(model), 1);
  write_file(directory / "model.safetensors",
             safetensors_bytes(plan, initial_state(plan, static_cast<uint64_t>(seed)), {}));
}

}  // namespace digitron::testing
