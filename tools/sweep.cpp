// digitron sweep
#include "host/sweep/sweep.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "host/core/error.h"
#include "host/devices/devices.h"
#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/train/interrupt.h"
#include "tools/commands.h"

namespace digitron {

namespace {

constexpr int kMostJobs = 1024;

struct SweepOptions {
  std::vector<std::string> command;
  std::string common;
  std::string seeds = "1-5";
  std::vector<std::string> settings;
  std::string out = "runs/sweep";
  int jobs = 0;
};

// One a core; but runs on a GPU come one after the other.
int default_jobs() {
  for (const DeviceReport& device : all_devices()) {
    if (device.available && device.name.starts_with("cuda")) return 1;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int sweep(const SweepOptions& options) {
  if (options.jobs < 0 || options.jobs > kMostJobs) {
    throw InputError(
        fmt::format("--jobs is {}; give 1 to {}, or 0 for one a core", options.jobs, kMostJobs));
  }
  SweepRequest request;
  request.command = options.command;
  request.program = std::filesystem::read_symlink("/proc/self/exe");
  request.common = split_words(options.common);
  request.seeds = parse_seeds(options.seeds);
  request.out = options.out;
  request.jobs = options.jobs > 0 ? options.jobs : default_jobs();
  for (const std::string& text : options.settings) request.settings.push_back(parse_setting(text));

  const SweepReport report = run_sweep(request, stop_on_signals());
  print_text(sweep_table(report));
  write_file_atomically(request.out / "sweep.json", sweep_json(request, report).dump(1) + '\n');
  write_file_atomically(request.out / "sweep.md", sweep_markdown(report));
  spdlog::info("Wrote sweep.json and sweep.md in {}", request.out.string());
  if (report.interrupted) return kInterruptedExitCode;
  throw_failure(report);
  return 0;
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
  sub->add_option(
         "--jobs", options->jobs,
         "Runs side by side, each with one thread. 0: one a core, or one where there is a GPU")
      ->transform(number<int>())
      ->capture_default_str();
  sub->add_option("--out", options->out,
                  "For OUT/NAME/seed-N, sweep.json and sweep.md. A finished run there is kept")
      ->type_name("DIR")
      ->capture_default_str();
  return {sub, [options] { return sweep(*options); }};
}

}  // namespace digitron
