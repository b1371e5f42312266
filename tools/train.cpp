// digitron train
#include <spdlog/spdlog.h>

#include <memory>

#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/validation.h"
#include "host/devices/devices.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "host/files/run_directory.h"
#include "host/text/table.h"
#include "host/train/interrupt.h"
#include "host/train/resume.h"
#include "host/train/run_description.h"
#include "host/train/trainer.h"
#include "tools/commands.h"
#include "tools/train_options.h"

namespace digitron {

namespace {

void log_start(const TrainSettings& s, const Engine& engine, const Data& data,
               const std::filesystem::path& out) {
  const Plan& plan = engine.plan();
  spdlog::info("{}: {} parameters", plan.model.name,
               grouped(static_cast<int64_t>(plan.parameter_count)));
  spdlog::info("Data: {}, {} training and {} test images", data.description,
               grouped(data.train->count()), grouped(data.test->count()));
  if (!data.is_mnist)
    spdlog::warn("Warning: this data is not MNIST, and its figures are not MNIST's");
  spdlog::info("Device: {}, {}", engine.description(), engine.precision());
  spdlog::info("{}", settings_text(s));
  spdlog::info("Output: {}", out.string());
}

void log_end(const TrainResult& result, const RunDirectory& directory) {
  if (result.test && !result.interrupted) {
    spdlog::info("Final test accuracy: {:.2f}% after {} steps", 100 * result.test->accuracy(),
                 grouped(result.steps));
  }
  if (result.steps == 0) return;  // interrupted before there was anything to save
  spdlog::info("Wrote run.json, metrics.jsonl and model.safetensors in {}",
               directory.path().string());
}

Model model_of(const TrainOptions& o, const nlohmann::ordered_json& run) {
  Model model = run.is_null() ? find_model(o.model) : resumed_model(run, o.model);
  if (!o.dropout) return model;
  Model changed = with_dropout(model, *o.dropout);
  if (!run.is_null() && !o.force && to_text(changed) != to_text(model)) {
    throw InputError("--dropout is not what the run began with, '" + to_text(model) +
                     "'; leave it out, or add --force to go on with the new value");
  }
  return changed;
}

// The engine of a run with its data, and where the run stands.
struct Start {
  std::unique_ptr<Engine> engine;
  RunDirectory directory;
  RunState state;
};

Start start_run(const TrainOptions& o, const Model& model, const Data& data,
                std::unique_ptr<Engine> engine) {
  const std::string& init = o.request.init;
  const Plan& plan = engine->plan();
  const ModelState state =
      init.empty() ? initial_state(plan, o.settings.seed) : load_state(init, plan);
  engine->set_state(State::kParameters, state.parameters);
  engine->set_state(State::kRunningStatistics, state.buffers);
  engine->configure(training_of(o.settings));
  const std::filesystem::path out =
      o.out.empty() ? default_run_directory(model) : std::filesystem::path(o.out);
  RunDirectory directory(out, run_description(o.request, o.settings, *engine, data));
  RunState start;
  start.batches_before = state.batches_tracked;
  return {std::move(engine), std::move(directory), start};
}

Start resume_run(const TrainOptions& o, const nlohmann::ordered_json& run,
                 std::unique_ptr<Engine> engine) {
  engine->configure(training_of(o.settings));
  const RunState state = load_run_state(state_path(o.resume), *engine);
  check_step_fits(run, o.settings, state.step);
  auto now = resumed_run(run, o.settings, o.request.command, state.epoch, state.step);
  now["resumed"].back()["device"] = device_description(o.request, *engine);
  now["model"]["text"] = to_text(engine->plan().model);  // --dropout may have changed it
  RunDirectory directory = RunDirectory::resume(o.resume, now, state.metrics_bytes);
  return {std::move(engine), std::move(directory), state};
}

void log_resumed(const TrainSettings& settings, const RunState& state) {
  if (state.epoch > settings.epochs) {
    spdlog::info("Resumed: all {} epochs are done; a larger --epochs with --force goes on",
                 settings.epochs);
  } else {
    spdlog::info("Resumed in epoch {} of {}, behind its step {}", state.epoch, settings.epochs,
                 state.step);
  }
}

int train(const CLI::App& app, TrainOptions& options) {
  nlohmann::ordered_json run;
  if (!options.resume.empty()) run = read_description(options.resume);
  complete_options(app, options, run);
  const TrainSettings& settings = options.settings;
  check_settings(settings);
  const Model model = model_of(options, run);
  const std::jthread device = start_device(options.request.device);
  const Data data = load_data(options.data);
  if (!run.is_null()) check_same_data(run, data);
  check_counts(settings, data.train->count());
  const TrainingSplit split = split_validation(data.train, settings.validation);

  const Plan plan = make_plan(model, settings.batch);
  require_trainable(plan, split.train->count());
  auto [engine, fallback] = make_engine(options.request.device, plan);
  options.request.fallback = fallback;
  engine->load(split.train, split.validation ? split.validation : data.test);
  Start start = run.is_null() ? start_run(options, model, data, std::move(engine))
                              : resume_run(options, run, std::move(engine));
  log_start(settings, *start.engine, data, start.directory.path());
  if (!run.is_null()) log_resumed(settings, start.state);
  Trainer trainer(*start.engine, start.directory, settings, split.train->count(),
                  stop_on_signals());
  TrainResult result = trainer.run(start.state);
  if (split.validation && !result.interrupted) {
    start.engine->load(split.train, data.test);
    result.test = trainer.test();
  }
  log_end(result, start.directory);
  return result.interrupted ? kInterruptedExitCode : 0;
}

}  // namespace

Command add_train(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("train", "Train a model; write metrics and a checkpoint");
  auto options = std::make_shared<TrainOptions>();
  options->request.command = std::move(command_line);
  add_train_options(*sub, *options);
  return {sub, [sub, options] { return train(*sub, *options); }};
}

}  // namespace digitron
