// The options of digitron train.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "host/files/run_directory.h"
#include "host/train/run_description.h"
#include "host/train/train_settings.h"

namespace digitron {

struct TrainOptions {
  std::string model;  // empty: lenet5, or the resumed run's
  std::string data;
  std::string out;
  std::string resume;  // the directory of a run to continue
  bool force = false;
  bool no_shuffle = false;
  bool augment = false;
  std::optional<double> dropout;
  TrainSettings settings;
  RunRequest request;
};

void add_train_options(CLI::App& app, TrainOptions& options);

// What the command line has left open: --augment's distances and, when a run is resumed (`run`, its
// run.json, is not null), everything from there. Throws InputError for options that contradict each
// other or the run.
void complete_options(const CLI::App& app, TrainOptions& options,
                      const nlohmann::ordered_json& run);

}  // namespace digitron
