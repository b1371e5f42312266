#include "host/train/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/validation.h"
#include "host/devices/cuda_module.h"
#include "host/files/run_directory.h"
#include "host/files/run_state.h"
#include "host/text/table.h"
#include "host/train/run_json.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// ---- what the run is to be; `run` is the run.json of the one to continue, null for a new one

void check_options(const SessionRequest& request) {
  if (request.resume.empty()) {
    if (request.force) throw InputError("--force goes with --resume; leave it out");
    return;
  }
  const auto forbid = [](const std::string& option, const std::string& value) {
    if (value.empty()) return;
    throw InputError(option +
                     " does not go with --resume, which continues in the run's own directory with "
                     "its own parameters; leave it out");
  };
  forbid("--out", request.out);
  forbid("--init", request.init);
}

Model new_model(const SessionRequest& request) {
  return find_model(request.model.empty() ? "lenet5" : request.model);
}

TrainSettings settings_of(const SessionRequest& request, const ordered_json& run) {
  if (!run.is_null()) return resumed_settings(run, request.settings, request.force);
  return settings_from_json(request.settings, recipe_of(new_model(request)));
}

Model model_of(const SessionRequest& request, const ordered_json& run) {
  Model model = run.is_null() ? new_model(request) : resumed_model(run, request.model);
  if (!request.dropout) return model;
  Model changed = with_dropout(model, *request.dropout);
  if (!run.is_null() && !request.force && to_text(changed) != to_text(model)) {
    throw InputError("--dropout is not what the run began with, '" + to_text(model) +
                     "'; leave it out, or add --force to go on with the new value");
  }
  return changed;
}

DeviceRequest device_of(const SessionRequest& request, const ordered_json& run) {
  DeviceRequest device = request.device;
  if (!run.is_null()) device.cuda.step = resumed_step(run, device.cuda.step, request.force);
  return device;
}

// ---- where the run stands before its first step

struct Start {
  RunDirectory directory;
  RunState state;
};

// The moving average starts as the parameters that the engine has when it is configured.
Start start_run(const SessionRequest& request, const TrainSettings& settings, MadeEngine& made,
                const Data& data) {
  Engine& engine = *made.engine;
  const Plan& plan = engine.plan();
  const ModelState initial =
      request.init.empty() ? initial_state(plan, settings.seed) : load_state(request.init, plan);
  engine.set_state(State::kParameters, initial.parameters);
  engine.set_state(State::kRunningStatistics, initial.buffers);
  engine.configure(training_of(settings));
  RunState state;
  state.batches_before = initial.batches_tracked;
  const std::filesystem::path out =
      request.out.empty() ? default_run_directory(plan.model) : std::filesystem::path(request.out);
  return {RunDirectory(out, run_description(request, settings, engine, made.fallback, data)),
          state};
}

// The states that are read are those of the optimiser that the engine is configured with.
Start resume_run(const SessionRequest& request, const TrainSettings& settings, MadeEngine& made,
                 const ordered_json& run) {
  Engine& engine = *made.engine;
  engine.configure(training_of(settings));
  RunState state = load_run_state(state_path(request.resume), engine);
  check_step_fits(run, settings, state.step);
  ordered_json now = resumed_run(run, settings, request.command, state.epoch, state.step);
  now["resumed"].back()["device"] = device_description(request.device, engine, made.fallback);
  now["model"]["text"] = to_text(engine.plan().model);  // --dropout may have changed it
  return {RunDirectory::resume(request.resume, now, state.metrics_bytes), std::move(state)};
}

// ---- what a profiler captures

// After `done` steps of the run; nothing where it was not asked for.
std::optional<StepCapture> step_capture(const SessionRequest& request,
                                        const TrainSettings& settings, const Engine& engine,
                                        int train_count, int64_t done) {
  if (request.profile_steps.empty()) return {};
  const StepRange range = parse_step_range("--profile-steps", request.profile_steps);
  const std::optional<int> steps_per_graph = engine.describe().steps_per_graph;
  const int all = steps_per_epoch(train_count, settings.batch);
  const int64_t steps = int64_t{settings.epochs} * all;
  const StepLayout layout{train_count / settings.batch, all, done,
                          std::min(steps, settings.max_steps.value_or(steps)),
                          steps_per_graph.value_or(0)};
  if (steps_per_graph) return StepCapture(range, layout, start_cuda_profiler, stop_cuda_profiler);
  const auto nothing = [] {};
  return StepCapture(range, layout, nothing, nothing);
}

// ---- the log

void log_capture(const SessionRequest& request, const Engine& engine) {
  if (request.profile_steps.empty()) return;
  if (engine.describe().steps_per_graph) {
    spdlog::info("Profile: steps {}", request.profile_steps);
  } else {
    spdlog::warn(
        "Warning: --profile-steps tells CUDA's profilers what to capture, and this run is not on a "
        "GPU: nothing is captured (digitron profile --with trace draws the steps of a CPU)");
  }
}

void log_start(const TrainSettings& settings, const Engine& engine, const Data& data,
               const std::filesystem::path& out) {
  const Plan& plan = engine.plan();
  spdlog::info("{}: {} parameters", plan.model.name,
               grouped(static_cast<int64_t>(plan.parameter_count)));
  spdlog::info("Data: {}, {} training and {} test images", data.description,
               grouped(data.train->count()), grouped(data.test->count()));
  if (!data.is_mnist) {
    spdlog::warn("Warning: this data is not MNIST, and its figures are not MNIST's");
  }
  const EngineDescription device = engine.describe();
  spdlog::info("Device: {}, {}", device.line, device.precision);
  if (!device.threads_reason.empty()) spdlog::info("Threads: {}", device.threads_reason);
  spdlog::info("{}", settings_text(settings));
  spdlog::info("Output: {}", out.string());
}

void log_resumed(const TrainSettings& settings, const RunState& state) {
  if (state.epoch > settings.epochs) {
    spdlog::info("Resumed: all {} epochs are done; a larger --epochs with --force goes on",
                 settings.epochs);
  } else {
    spdlog::info("Resumed in epoch {} of {}, after its step {}", state.epoch, settings.epochs,
                 state.step);
  }
}

void log_end(const TrainResult& result, const std::filesystem::path& out) {
  if (result.test && !result.interrupted) {
    spdlog::info("Final test accuracy: {:.2f}% after {} steps", 100 * result.test->accuracy(),
                 grouped(result.steps));
  }
  if (result.steps == 0) return;  // interrupted before there was anything to save
  spdlog::info("Wrote run.json, metrics.jsonl and model.safetensors in {}", out.string());
}

}  // namespace

TrainResult run_session(const SessionRequest& request, const StopFlag& stop_flag) {
  ordered_json run;
  const bool resumes = !request.resume.empty();
  if (resumes) run = read_description(request.resume);
  check_options(request);
  const TrainSettings settings = settings_of(request, run);
  check_settings(settings);
  const Model model = model_of(request, run);

  const DeviceRequest device = device_of(request, run);
  const std::jthread starting = start_device(device);  // while the data is read
  const bool same_source = resumes && request.data.empty();
  const Data data =
      load_data(same_source ? run["data"]["source"].get<std::string>() : request.data);
  if (resumes) check_same_data(run, data);
  check_counts(settings, data.train->count());
  const auto [train, validation] = split_validation(data.train, settings.validation);

  const Plan plan = make_plan(model, settings.batch);
  require_trainable(plan, train->count());
  MadeEngine made = make_engine(device, plan);
  Engine& engine = *made.engine;
  engine.load(train, validation ? validation : data.test);
  const int train_count = train->count();
  const auto capture = [&](int64_t done) {
    return step_capture(request, settings, engine, train_count, done);
  };
  if (!resumes) capture(0);  // what it refuses, it refuses before a file is written
  Start start =
      resumes ? resume_run(request, settings, made, run) : start_run(request, settings, made, data);
  log_start(settings, engine, data, start.directory.path());
  if (resumes) log_resumed(settings, start.state);
  log_capture(request, engine);

  Trainer trainer(engine, start.directory, settings, train_count, stop_flag());
  const int64_t done =
      int64_t{start.state.epoch - 1} * steps_per_epoch(train_count, settings.batch) +
      start.state.step;
  if (auto steps = capture(done)) trainer.capture(std::move(*steps));
  TrainResult result = trainer.run(start.state);
  if (validation && !result.interrupted) {
    engine.load(train, data.test);
    result.test = trainer.test();
  }
  log_end(result, start.directory.path());
  return result;
}

}  // namespace digitron
