// digitron profile
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "host/bench/nsight.h"
#include "host/bench/trace.h"
#include "host/bench/trace_steps.h"
#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/validation.h"
#include "host/process/run_tool.h"
#include "host/sweep/sweep.h"
#include "host/text/table.h"
#include "host/train/session.h"
#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct ProfileOptions {
  SessionRequest training;
  std::string steps = "200:240";
  std::string with;
  std::string out = "runs/profile";
  std::string tool_options;
  bool dry_run = false;
};

// What was given of train's options, as it would be written there.
std::vector<std::string> train_options(const std::vector<CLI::Option*>& of_train) {
  std::vector<std::string> words;
  for (const CLI::Option* option : of_train) {
    if (option->count() == 0) continue;
    words.push_back("--" + option->get_lnames().front());
    if (option->get_items_expected_max() > 0) words.push_back(option->as<std::string>());
  }
  return words;
}

TrainSettings profile_settings(const SessionRequest& training, const Model& model) {
  const TrainSettings settings = settings_from_json(training.settings, recipe_of(model.id));
  check_settings(settings);
  return settings;
}

// This program training as asked for, no further than it has to, with the steps marked.
std::vector<std::string> training_command(const ProfileOptions& options, StepRange range,
                                          const std::vector<std::string>& given) {
  std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe"), "train"};
  command.insert(command.end(), given.begin(), given.end());
  command.insert(command.end(), {"--out", options.out + "/run", "--profile-steps", options.steps});
  if (!options.training.settings.contains("max_steps")) {
    command.insert(command.end(), {"--max-steps", std::to_string(range.last)});
  }
  return command;
}

int profile_with_tool(const ProfileOptions& options, StepRange range,
                      const std::vector<std::string>& given) {
  const std::string& device = options.training.device.device;
  if (device == "cpu" || device == "reference") {
    throw InputError("--with " + options.with + " shows what a GPU does, and --device is " +
                     device + "; take --with trace");
  }
  const NsightTool tool = options.with == "nsys" ? NsightTool::kSystems : NsightTool::kCompute;
  const std::vector<std::string> command =
      capture_command(tool, options.out, split_words(options.tool_options),
                      training_command(options, range, given));
  if (options.dry_run) {
    print_text(shell_line(command) + '\n');
    return 0;
  }
  require_tool(tool);
  spdlog::info("Running: {}", shell_line(command));
  run_nsight(tool, options.out, command);
  return 0;
}

int profile_with_trace(const ProfileOptions& options, StepRange range, const Model& model,
                       const TrainSettings& settings) {
  if (options.dry_run || !options.tool_options.empty()) {
    throw InputError("--with trace runs no tool; leave --dry-run and --tool-options out");
  }
  const std::jthread device = start_device(options.training.device);
  const Data data = load_data(options.training.data);
  check_counts(settings, data.train->count());
  const auto [train, validation] = split_validation(data.train, settings.validation);
  const Plan plan = make_plan(with_task(model, data.task), settings.batch);
  require_trainable(plan, train->count());
  const std::unique_ptr<Engine> engine = make_engine(options.training.device, plan).engine;
  engine->load(train, data.test);
  engine->set_state(State::kParameters, initial_parameters(plan, settings.seed));
  engine->configure(training_of(settings));
  const std::vector<TraceEvent> events = trace_steps(*engine, train->count(), settings, range);
  const std::filesystem::path path = std::filesystem::path(options.out) / "trace.json";
  std::filesystem::create_directories(options.out);
  write_trace(path, events);
  spdlog::info("{} | batch {} | {}", model.name, settings.batch, engine->description());
  spdlog::info("Wrote {}: {} events of steps {}; open it in https://ui.perfetto.dev", path.string(),
               grouped(static_cast<int64_t>(events.size())), options.steps);
  return 0;
}

int run_profile(const ProfileOptions& options, const std::vector<std::string>& given) {
  const StepRange range = parse_step_range("--steps", options.steps);
  const SessionRequest& training = options.training;
  Model model = find_model(training.model.empty() ? "lenet5" : training.model);
  if (training.dropout) model = with_dropout(model, *training.dropout);
  const TrainSettings settings = profile_settings(training, model);
  return options.with == "trace" ? profile_with_trace(options, range, model, settings)
                                 : profile_with_tool(options, range, given);
}

}  // namespace

Command add_profile(CLI::App& app) {
  CLI::App* sub = app.add_subcommand(
      "profile", "Steps of a training under Nsight Systems or Compute, or as a timeline");
  auto options = std::make_shared<ProfileOptions>();
  sub->option_defaults()->group("Profile");
  sub->add_option("--steps", options->steps,
                  "The first and the last step to look at, counted from 1 over the whole run; the\n"
                  "training ends after it")
      ->type_name("A:B")
      ->capture_default_str();
  sub->add_option(
         "--with", options->with,
         "nsys (Nsight Systems: a timeline), ncu (Nsight Compute: counters of each kernel,\n"
         "slow: take few steps), or trace: a timeline that this program draws itself")
      ->check(CLI::IsMember({"nsys", "ncu", "trace"}))
      ->type_name("TOOL")
      ->required();
  sub->add_option("--out", options->out,
                  "For the tool's report or trace.json, and for the training's files in OUT/run")
      ->type_name("DIR")
      ->capture_default_str();
  sub->add_option("--tool-options", options->tool_options,
                  "More options for nsys or ncu, such as '--sample=process-tree' or '--set full'")
      ->type_name("TEXT");
  sub->add_flag("--dry-run", options->dry_run, "Print the tool's command line and run nothing");
  const size_t own = sub->get_options().size();

  sub->option_defaults()->group("Options");
  add_model(*sub, options->training.model)->default_str("lenet5");
  add_data(*sub, options->training.data);
  add_device(*sub, options->training.device);
  add_settings(*sub, options->training.settings, options->training.dropout);
  std::vector<CLI::Option*> of_train = sub->get_options();
  of_train.erase(of_train.begin(), of_train.begin() + static_cast<std::ptrdiff_t>(own));

  sub->footer(
      "The other options are those of train. A step in a graph shows as its kernels; --no-graph\n"
      "shows each layer and direction by name. For example:\n"
      "  digitron profile --model lenet5 --steps 200:240 --with nsys --out runs/nsys\n"
      "  digitron profile --no-graph --steps 200:201 --with ncu --tool-options '--set full'\n"
      "  digitron profile --device cpu --steps 200:205 --with trace");
  return {sub, [options, of_train] { return run_profile(*options, train_options(of_train)); }};
}

}  // namespace digitron
