#include "host/train/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/validation.h"
#include "host/files/run_directory.h"
#include "host/files/run_state.h"
#include "host/text/table.h"
#include "host/train/run_json.h"
#include "host/train/run_log.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// ---- what the run is to be; `run` is the run.json of the one to continue, null for a new one, and
// ---- `like` that of the one to take after, null where --like is not given

void check_options(const SessionRequest& request) {
  if (request.resume.empty()) {
    if (request.force) throw InputError("--force goes with --resume; leave it out");
    if (request.out.empty() && request.overwrite) {
      throw InputError("--overwrite goes with --out, which names the run to give up; add it");
    }
    if (!request.out.empty() && !request.overwrite) require_no_run(request.out);
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
  forbid("--like", request.like);
  if (request.overwrite) throw InputError("--overwrite does not go with --resume; leave it out");
}

ordered_json read_like(const SessionRequest& request) {
  if (request.like.empty()) return {};
  ordered_json like = read_description(request.like, "--like");
  if (request.init.empty() && like["settings"].value("init", ordered_json()).is_string()) {
    spdlog::warn("Warning: the run that --like names began with --init {}, and this one does not",
                 like["settings"]["init"].get<std::string>());
  }
  return like;
}

std::string new_model(const SessionRequest& request) {
  return request.model.empty() ? "lenet5" : request.model;
}

TrainSettings settings_of(const SessionRequest& request, const ordered_json& run,
                          const ordered_json& like) {
  if (!run.is_null()) return resumed_settings(run, request.settings, request.force);
  return settings_from_json(request.settings,
                            like.is_null() ? recipe_of(model_id(new_model(request)).value_or(""))
                                           : settings_from_json(like["settings"]));
}

std::string source_of(const SessionRequest& request, const ordered_json& run,
                      const ordered_json& like) {
  const ordered_json& before = run.is_null() ? like : run;
  if (!request.data.empty() || before.is_null()) return request.data;
  return before["data"]["source"].get<std::string>();
}

// Of a new run for the task of its data.
Model model_of(const SessionRequest& request, const ordered_json& run, const ordered_json& like,
               const Task& task) {
  const bool is_like = run.is_null() && request.model.empty() && !like.is_null();
  Model model = !run.is_null() ? resumed_model(run, request.model)
                : is_like      ? with_task(resumed_model(like, ""), task)
                               : find_model(new_model(request), task);
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

// ---- where the run stands before its first step, and its directory

// The moving average starts as the parameters that the engine has when it is configured.
RunState begin_run(const SessionRequest& request, const TrainSettings& settings, Engine& engine) {
  const Plan& plan = engine.plan();
  const ModelState initial =
      request.init.empty() ? initial_state(plan, settings.seed) : load_state(request.init, plan);
  engine.set_state(State::kParameters, initial.parameters);
  engine.set_state(State::kRunningStatistics, initial.buffers);
  engine.configure(training_of(settings));
  RunState state;
  state.batches_before = initial.batches_tracked;
  return state;
}

// The states that are read are those of the optimiser that the engine is configured with.
RunState continue_run(const SessionRequest& request, const TrainSettings& settings, Engine& engine,
                      const ordered_json& run, const Data& data) {
  engine.configure(training_of(settings));
  RunState state = load_run_state(state_path(request.resume), engine);
  check_same_run(run, state.run);
  check_state_fits(run, state, data.train->count());
  check_step_fits(run, settings, state.step);
  return state;
}

RunDirectory new_directory(const SessionRequest& request, const TrainSettings& settings,
                           const MadeEngine& made, const Data& data) {
  using enum RunDirectory::IfThere;
  const Engine& engine = *made.engine;
  const ordered_json run = run_description(request, settings, engine, made.fallback, data);
  if (!request.out.empty()) return {request.out, run, request.overwrite ? kOverwrite : kRefuse};
  return RunDirectory::start_beside(default_run_directory(engine.plan().model), run);
}

RunDirectory resumed_directory(const SessionRequest& request, const TrainSettings& settings,
                               const MadeEngine& made, const ordered_json& run,
                               const RunState& state, RunLock lock) {
  const Engine& engine = *made.engine;
  ordered_json now = resumed_run(run, settings, request.command, state.epoch, state.step);
  now["resumed"].back()["device"] = device_description(request.device, engine, made.fallback);
  now["model"]["text"] = to_text(engine.plan().model);  // --dropout may have changed it
  return RunDirectory::resume(request.resume, std::move(lock), now, state.metrics_bytes);
}

// ---- what a profiler captures

// From `state` on; nothing where it was not asked for.
std::optional<StepCapture> step_capture(const SessionRequest& request,
                                        const TrainSettings& settings, const Engine& engine,
                                        int train_count, const RunState& state) {
  if (request.profile_steps.empty()) return {};
  const StepRange range = parse_step_range("--profile-steps", request.profile_steps);
  const int all = steps_per_epoch(train_count, settings.batch);
  const int64_t done = int64_t{state.epoch - 1} * all + state.step;
  const int64_t steps = int64_t{settings.epochs} * all;
  const int64_t total = std::min(steps, settings.max_steps.value_or(steps));
  return profiler_capture(range, {train_count / settings.batch, all, done, total}, engine);
}

// ---- the log

void log_start(const TrainSettings& settings, const Engine& engine, const Data& data,
               const std::filesystem::path& out) {
  const Plan& plan = engine.plan();
  spdlog::info("{}: {} parameters", plan.model.name,
               grouped(static_cast<int64_t>(plan.parameter_count)));
  spdlog::info("Data: {}, {} training and {} test images", data.description,
               grouped(data.train->count()), grouped(data.test->count()));
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
  spdlog::info("Wrote run.json, metrics.jsonl, train.log and model.safetensors in {}",
               out.string());
}

}  // namespace

TrainResult run_session(const SessionRequest& request, const StopFlag& stop_flag) {
  ordered_json run;
  std::optional<RunLock> lock;
  const bool resumes = !request.resume.empty();
  if (resumes) {
    lock.emplace(lock_run(request.resume));  // first: nobody changes what is read from now on
    run = read_description(request.resume, "--resume");
  }
  check_options(request);
  const ordered_json like = read_like(request);
  const TrainSettings settings = settings_of(request, run, like);
  check_settings(settings);

  const DeviceRequest device = device_of(request, run);
  const std::jthread starting = start_device(device);  // while the data is read
  const Data data = load_data(source_of(request, run, like));
  if (resumes) check_same_data(run, data);
  const Model model = model_of(request, run, like, data.task);
  check_counts(settings, data.train->count());
  const auto [train, validation] = split_validation(data.train, settings.validation);

  const Plan plan = make_plan(model, settings.batch);
  require_trainable(plan, train->count());
  MadeEngine made = make_engine(device, plan);
  Engine& engine = *made.engine;
  engine.load(train, validation ? validation : data.test);
  const int train_count = train->count();
  const RunState state = resumes ? continue_run(request, settings, engine, run, data)
                                 : begin_run(request, settings, engine);
  std::optional<StepCapture> capture = step_capture(request, settings, engine, train_count, state);
  // All that can be refused has been: now files are written.
  RunDirectory directory =
      resumes ? resumed_directory(request, settings, made, run, state, std::move(*lock))
              : new_directory(request, settings, made, data);
  const RunLog log(directory.log_path(), resumes);
  log_start(settings, engine, data, directory.path());
  if (resumes) log_resumed(settings, state);

  Trainer trainer(engine, directory, settings, train_count, stop_flag());
  if (capture) trainer.capture(std::move(*capture));
  TrainResult result = trainer.run(state);
  if (validation && !result.interrupted) {
    engine.load(train, data.test);
    result.test = trainer.test();
  }
  directory.sync();
  log_end(result, directory.path());
  return result;
}

}  // namespace digitron
