// The program's commands: each adds its options to the command line and says what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/devices/devices.h"
#include "host/train/session.h"

namespace digitron {

struct Command {
  CLI::App* options;
  std::function<int()> run;  // returns the exit code
};

Command add_train(CLI::App& app, std::vector<std::string> command_line);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_bench(CLI::App& app, std::vector<std::string> command_line);
Command add_profile(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_report(CLI::App& app);
Command add_sweep(CLI::App& app, std::vector<std::string> command_line);

// Options that several commands share.
CLI::Option* add_model(CLI::App& app, std::string& model);
CLI::Option* add_checkpoint(CLI::App& app, std::string& checkpoint);
CLI::Option* add_data(CLI::App& app, std::string& data);
void add_device(CLI::App& app, DeviceRequest& request);
// What training is done with: request.settings, and request.dropout.
void add_settings(CLI::App& app, SessionRequest& request);

// bench --time-to: its options, and what it does. The options of bench say the rest: what is
// trained on what, and the file for everything that was measured ("" for none).
struct TimeToOptions {
  std::optional<double> accuracy;  // --time-to
  std::string seeds = "1-30";
};
void add_time_to(CLI::App& bench, TimeToOptions& options);
int run_time_to(const TimeToOptions& options, const SessionRequest& session,
                const std::string& json);

// What --model means beside --checkpoint.
inline constexpr const char* kCheckpointModelHelp =
    "As for train. Default: the model that the file's metadata names";

}  // namespace digitron
