// The program's commands: each adds its options to the command line and says what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/devices/devices.h"
#include "host/files/json.h"
#include "host/train/settings.h"

namespace digitron {

struct Command {
  CLI::App* options;
  std::function<int()> run;  // returns the exit code
};

Command add_train(CLI::App& app, std::vector<std::string> command_line);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_profile(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_report(CLI::App& app);
Command add_sweep(CLI::App& app, std::vector<std::string> command_line);

// Options that several commands share.
CLI::Option* add_model(CLI::App& app, std::string& model);
CLI::Option* add_checkpoint(CLI::App& app, std::string& checkpoint);
CLI::Option* add_data(CLI::App& app, std::string& data);
void add_device(CLI::App& app, DeviceRequest& request);
// Training's settings, those of the table that are `wanted` (nullptr: all), and --dropout. What the
// user gives goes into `given`, by name as in run.json.
void add_settings(CLI::App& app, nlohmann::ordered_json& given, std::optional<double>& dropout,
                  bool (*wanted)(const Setting&) = nullptr);

// What --model means beside --checkpoint.
inline constexpr const char* kCheckpointModelHelp =
    "As for train. Default: the model that the file's metadata names";

}  // namespace digitron
