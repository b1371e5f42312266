// The program's commands: each adds its options to the command line and says what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/bench/compare.h"
#include "host/devices/devices.h"
#include "host/files/json.h"
#include "host/train/settings.h"

namespace digitron {

struct BenchRequest;

struct Command {
  CLI::App* options;
  std::function<int()> run;  // returns the exit code
};

Command add_train(CLI::App& app, std::vector<std::string> command_line);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_bench(CLI::App& app, std::vector<std::string> command_line);
Command add_compare(CLI::App& app);
Command add_profile(CLI::App& app);
Command add_devices(CLI::App& app);
Command add_report(CLI::App& app);
Command add_sweep(CLI::App& app, std::vector<std::string> command_line);

// For ->transform(): a word that is a decimal number of T (int, int64_t, uint64_t or double) as a
// whole. To be given to every option that takes a number.
template <class T>
CLI::Validator number();

// Throws InputError for a word like "--lr=", which CLI11 lets swallow the next one.
void refuse_empty_values(const std::vector<std::string>& command_line);

// A command's answer, on standard output.
void print_text(std::string_view text);
void print_json(const nlohmann::ordered_json& json);

// "--epochs" and so on, of a command.
std::vector<std::string> long_options(const CLI::App& app);

// --config. To be added before all others: it is read before they are.
void add_config(CLI::App& app);

// Options that several commands share.
CLI::Option* add_model(CLI::App& app, std::string& model);
CLI::Option* add_models(CLI::App& app, std::vector<std::string>& models);
CLI::Option* add_checkpoint(CLI::App& app, std::string& checkpoint);
CLI::Option* add_data(CLI::App& app, std::string& data);
void add_device(CLI::App& app, DeviceRequest& request);
// --threads: "auto" as kAutoThreads, or a number, which make_engine checks.
CLI::Validator thread_count();
inline constexpr const char* kThreadsHelp =
    "Threads of the CPU engine: a number, or auto, which goes by what is fastest now, of the\n"
    "cores that this process may use; the result does not depend on it";
void add_device_name(CLI::App& app, std::string& device);
// What add_device has for a GPU beside --step and --no-graph.
void add_cuda(CLI::App& app, CudaOptions& cuda);
// Training's settings, those of the table that are `wanted` (nullptr: all), and --dropout. What the
// user gives goes into `given`, by name as in run.json.
void add_settings(CLI::App& app, nlohmann::ordered_json& given, std::optional<double>& dropout,
                  bool (*wanted)(const Setting&) = nullptr);

// bench --time-to: its options, added after bench's own, and what it does. The request says the
// rest: what is trained on what; `json` is the file for all that was measured, "" for none.
struct TimeToOptions {
  const CLI::App* bench = nullptr;
  std::optional<double> accuracy = {};
  std::string seeds = "1-30";
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();  // those that no step needs
};
void add_time_to(CLI::App& bench, TimeToOptions& options);
int run_time_to(const TimeToOptions& options, const BenchRequest& request, const std::string& json);

// bench --against: likewise.
struct AgainstOptions {
  const CLI::App* bench = nullptr;
  std::string program;  // empty: it was not given
  CompareSettings settings;
};
void add_against(CLI::App& bench, AgainstOptions& options);
int run_against(const AgainstOptions& options, const BenchRequest& asked, const std::string& json,
                bool markdown);

// --margin and --fail-slower, and the exit code of a row that is slower.
std::vector<CLI::Option*> add_margins(CLI::App& app, CompareSettings& settings);
inline constexpr int kSlowerExitCode = 3;

// What --model means beside --checkpoint.
inline constexpr const char* kCheckpointModelHelp =
    "As for train. Default: the model that the file's metadata names";

}  // namespace digitron
