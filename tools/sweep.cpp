// digitron sweep
#include "host/sweep/sweep.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "host/core/error.h"
#include "host/devices/devices.h"
#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/process/run_tool.h"
#include "host/train/interrupt.h"
#include "tools/commands.h"

namespace digitron {

namespace {

constexpr int kMostJobs = 1024;
constexpr int kMostRetries = 100;

struct SweepOptions {
  std::vector<std::string> command;
  std::string common;
  std::string seeds = "1-5";
  std::vector<std::string> settings;
  std::string out = "runs/sweep";
  int jobs = 0;
  std::vector<std::string> devices;
  int jobs_per_device = 1;
  std::optional<std::string> launch;
  std::optional<int> retries;
};

void check(const std::string& option, int value, int least, int most) {
  if (value >= least && value <= most) return;
  throw InputError(fmt::format("{} is {}; give {} to {}", option, value, least, most));
}

// Each is here, and named once.
void check_devices(const std::vector<std::string>& names) {
  std::set<std::string> here;
  for (const DeviceReport& device : all_devices()) {
    if (device.available) here.insert(device.name);
  }
  std::set<std::string> given;
  for (const std::string& name : names) {
    if (!here.contains(name)) {
      throw InputError(fmt::format(
          "--devices: '{}' is not available here; give some of {} (digitron devices says why not "
          "the rest)",
          name, fmt::join(here, ", ")));
    }
    if (!given.insert(name).second) {
      throw InputError("--devices names " + name +
                       " twice; give it once, with --jobs-per-device for several runs on each");
    }
  }
}

// The launcher's words, the first as a path.
std::vector<std::string> launcher(const std::string& text) {
  std::vector<std::string> words = split_words(text);
  if (words.empty()) words.emplace_back();
  const auto program = find_program(words.front());
  if (!program) {
    throw InputError(
        "--launch: there is no program '" + words.front() +
        "' here that you may run; install it, put its folder on PATH or give its path");
  }
  words.front() = program->string();
  return words;
}

// One a core; but runs on a GPU come one after the other.
int jobs_of_machine() {
  for (const DeviceReport& device : all_devices()) {
    if (device.available && device.name.starts_with("cuda")) return 1;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// A launcher has a queue of its own: it gets them all.
int jobs_of(const SweepOptions& options) {
  if (!options.devices.empty()) {
    return static_cast<int>(options.devices.size()) * options.jobs_per_device;
  }
  if (options.jobs > 0) return options.jobs;
  return options.launch ? kMostJobs : jobs_of_machine();
}

SweepRequest request_of(const SweepOptions& options) {
  check("--jobs", options.jobs, 0, kMostJobs);
  check("--jobs-per-device", options.jobs_per_device, 1, kMostJobs);
  check("--retries", options.retries.value_or(0), 0, kMostRetries);
  SweepRequest request;
  request.command = options.command;
  request.program = std::filesystem::read_symlink("/proc/self/exe");
  request.common = split_words(options.common);
  request.seeds = parse_seeds(options.seeds);
  request.out = options.out;
  request.jobs = jobs_of(options);
  for (const std::string& text : options.settings) request.settings.push_back(parse_setting(text));
  check_devices(options.devices);
  request.devices = options.devices;
  if (options.launch) request.launch = launcher(*options.launch);
  request.retries = options.retries.value_or(options.launch ? 1 : 0);
  return request;
}

int sweep(const SweepOptions& options) {
  const SweepRequest request = request_of(options);
  const SweepReport report = run_sweep(request, stop_on_signals());
  print_text(sweep_table(report));
  write_file_atomically(request.out / "sweep.json", sweep_json(request, report).dump(1) + '\n');
  write_file_atomically(request.out / "sweep.md", sweep_markdown(report));
  spdlog::info("Wrote sweep.json and sweep.md in {}", request.out.string());
  if (report.interrupted) return kInterruptedExitCode;
  throw_failure(report);
  return 0;
}

// Where the runs are trained.
void add_places(CLI::App& app, SweepOptions& options) {
  CLI::Option* jobs =
      app.add_option("--jobs", options.jobs,
                     "Runs side by side, each with one thread. 0: one a core, or one where there\n"
                     "is a GPU; with --launch all at once, as many threads as each finds fastest")
          ->transform(number<int>())
          ->capture_default_str();
  CLI::Option* devices = app.add_option("--devices", options.devices,
                                        "A run at a time on each of these, such as cuda:0,cuda:1")
                             ->delimiter(',')
                             ->allow_extra_args(false)
                             ->type_name("LIST")
                             ->excludes(jobs);
  app.add_option("--jobs-per-device", options.jobs_per_device, "Or as many on each")
      ->transform(number<int>())
      ->needs(devices)
      ->capture_default_str();
  app.add_option(
         "--launch", options.launch,
         "Words before each run's command, such as 'srun --ntasks=1 --gpus=1', mpirun or a\n"
         "script; where they lead, program, data and OUT must have the same paths. (ssh\n"
         "starts in another directory and splits words again: put it into a script)")
      ->type_name("TEXT")
      ->excludes(devices);
  app.add_option("--retries", options.retries,
                 "Further attempts at a run that fails, unless its options are wrong; they go on\n"
                 "where it was. By default 1 with --launch, else 0")
      ->transform(number<int>());
}

}  // namespace

Command add_sweep(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub =
      app.add_subcommand("sweep", "Train under several settings and seeds; which of them help?");
  auto options = std::make_shared<SweepOptions>();
  options->command = std::move(command_line);
  sub->add_option("SETTING", options->settings,
                  "'NAME: OPTION...' with options of train, the first to compare the others with;\n"
                  "for example plain 'weight decay: --weight-decay 5e-4'")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("TEXT");
  sub->add_option("--common", options->common, "Options of train for every run")->type_name("TEXT");
  sub->add_option("--seeds", options->seeds, "Numbers and ranges, such as 1-5 or 1,2,7")
      ->type_name("LIST")
      ->capture_default_str();
  add_places(*sub, *options);
  sub->add_option(
         "--out", options->out,
         "For OUT/NAME/seed-N, sweep.json and sweep.md. A finished run there is kept, and one\n"
         "that was cut off goes on where it was")
      ->type_name("DIR")
      ->capture_default_str();
  return {sub, [options] { return sweep(*options); }};
}

}  // namespace digitron
