#include "host/train/run_json.h"

#include <spdlog/fmt/fmt.h>

#include <string_view>

#include "host/core/error.h"
#include "host/files/environment.h"
#include "host/files/json_reader.h"
#include "host/files/read_text.h"
#include "host/files/run_directory.h"
#include "host/files/task_json.h"
#include "host/machine/build.h"
#include "host/machine/machine.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

constexpr const char* kNewValueAdvice = "leave it out, or add --force to go on with the new value";

[[noreturn]] void differs(const std::string& what, const std::string& asked,
                          const std::string& there, const std::string& advice) {
  throw InputError(fmt::format("{} is {}, but the run that --resume continues has {}; {}", what,
                               asked, there, advice));
}

// What of run.json is read later, without its settings, which have a reader of their own.
void check_description(const JsonReader& run) {
  if (run.has("id")) run.text("id");
  run.object("settings");
  const JsonReader model = run.object("model");
  for (const char* key : {"text", "id", "name"}) {
    if (key == std::string_view("text") || model.has(key)) model.text(key);
  }
  task_in(model);
  run.object("data").text("source");
  const auto check_step = [](const JsonReader& start) {
    if (!start.has("device")) return;
    const JsonReader device = start.object("device");
    if (!device.has("details")) return;
    const JsonReader details = device.object("details");
    if (details.has("step") && details.object("step").has("way")) {
      details.object("step").text("way");
    }
  };
  check_step(run);
  run.for_each_object("resumed", check_step);
}

constexpr const char* kRunAdvice = "give the directory of a run, as --out named it";

// A regular file, from which reading ends.
void require_description(const std::filesystem::path& path, const std::string& option) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) return;
  throw InputError(option + ": " + path.string() + " cannot be read; " + kRunAdvice);
}

std::string text_or(const ordered_json& object, const char* key, const std::string& otherwise) {
  const auto entry = object.find(key);
  return entry != object.end() && entry->is_string() ? entry->get<std::string>() : otherwise;
}

// As --threads takes it.
ordered_json threads_json(int threads) {
  return threads == kAutoThreads ? ordered_json("auto") : ordered_json(threads);
}

}  // namespace

ordered_json device_description(const DeviceRequest& request, const Engine& engine,
                                const std::string& fallback) {
  ordered_json device{{"asked", request.device},
                      {"description", engine.description()},
                      {"threads", threads_json(request.threads)},
                      {"cpu", cpu_name()}};
  const std::string reason = engine.describe().threads_reason;
  if (!reason.empty()) device["threads_reason"] = reason;
  if (!fallback.empty()) device["fallback"] = fallback;
  const ordered_json details = details_json(engine.describe().details);
  if (!details.empty()) device["details"] = details;
  return device;
}

ordered_json run_description(const SessionRequest& request, const TrainSettings& settings,
                             const Engine& engine, const std::string& fallback, const Data& data) {
  const Plan& plan = engine.plan();
  ordered_json run;
  run["id"] = new_run_id();
  run["digitron"] = version();
  run["compiler"] = compiler();
  run["build"] = build_json();
  // A run on the CPU does not wake the GPUs' driver to list them.
  run["machine"] = gpu_uuid(engine.describe().details).empty() ? host_json() : machine_json();
  run["command"] = request.command;
  run["started"] = utc_now();
  run["model"] = {{"id", plan.model.id},
                  {"name", plan.model.name},
                  {"text", to_text(plan.model)},
                  {"task", task_json(plan.model.task)},
                  {"parameters", plan.parameter_count}};
  run["device"] = device_description(request.device, engine, fallback);
  run["precision"] = engine.describe().precision;
  run["data"] = {{"source", data.source},
                 {"description", data.description},
                 {"name", data.name},
                 {"is_mnist", data.is_mnist()},
                 {"sha256", data.sha256},
                 {"train_images", data.train->count()},
                 {"test_images", data.test->count()}};
  ordered_json& s = run["settings"];
  s = settings_json(settings);
  s["init"] = request.init.empty() ? ordered_json() : ordered_json(request.init);
  return run;
}

RunLock lock_run(const std::filesystem::path& directory) {
  require_description(directory / "run.json", "--resume");
  return RunLock(directory);
}

ordered_json read_description(const std::filesystem::path& run, const std::string& option) {
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(run, ignored);
  const std::filesystem::path path = is_file ? run : run / "run.json";
  require_description(path, option);
  std::optional<ordered_json> object = parse_object<ordered_json>(read_text(path, kRunAdvice));
  const std::string where = option + ": " + path.string();
  const std::string advice = "restore it, or start a new run";
  if (!object) throw InputError(where + " is not a whole JSON object; " + advice);
  check_description({*object, where, advice});
  return std::move(*object);
}

TrainSettings resumed_settings(const ordered_json& run, const ordered_json& given, bool force) {
  const TrainSettings before = settings_from_json(run["settings"]);
  const TrainSettings settings = settings_from_json(given, before);
  const ordered_json old_values = settings_json(before);
  const ordered_json new_values = settings_json(settings);
  for (const Setting* setting : settings_in_json_order()) {
    const ordered_json& value = new_values[setting->name];
    const ordered_json& old_value = old_values[setting->name];
    if (force || value == old_value) continue;
    differs(setting->option(), value.dump(), old_value.dump(), kNewValueAdvice);
  }
  return settings;
}

StepKind resumed_step(const ordered_json& run, StepKind asked, bool force) {
  // Only a start on a GPU has it: one elsewhere, or by a version before it, leaves what was.
  const ordered_json::json_pointer place("/device/details/step/way");
  std::string way = run.value(place, step_word(StepKind::kAuto));
  if (run.contains("resumed")) {
    for (const ordered_json& start : run["resumed"]) way = start.value(place, way);
  }
  const StepKind before = step_kind(way);
  if (asked == StepKind::kAuto) return before;
  if (!force && before != StepKind::kAuto && asked != before) {
    differs("--step", step_word(asked), way, kNewValueAdvice);
  }
  return asked;
}

void check_same_run(const ordered_json& run, const std::string& state_id) {
  const std::string id = text_or(run, "id", "");
  if (id.empty() || state_id.empty() || id == state_id) return;
  throw InputError(
      "--resume: resume.safetensors is of another run than run.json; restore the two "
      "together, or start a new run");
}

void check_state_fits(const ordered_json& run, const RunState& state, int train_count) {
  const TrainSettings before = settings_from_json(run["settings"]);
  const int left = train_count - before.validation;
  const int64_t done = int64_t{state.step} * before.batch;
  if (done == state.train.count && (done == 0 || done < left)) return;
  throw InputError(
      fmt::format("--resume: resume.safetensors tells of {} images in {} steps of its epoch, where "
                  "the run has {} images in steps of {}; restore the file, or start a new run",
                  state.train.count, state.step, left, before.batch));
}

void check_step_fits(const ordered_json& run, const TrainSettings& settings, int step) {
  const TrainSettings before = settings_from_json(run["settings"]);
  const auto check = [&](const char* option, int now, int then) {
    if (step == 0 || now == then) return;
    differs(option, std::to_string(now), std::to_string(then),
            "it can change only between two epochs: finish this one first");
  };
  check("--batch", settings.batch, before.batch);
  check("--validation", settings.validation, before.validation);
}

Model resumed_model(const ordered_json& run, const std::string& asked) {
  const std::string text = run["model"]["text"];
  const Task task = task_in(JsonReader(run["model"], "run.json: model", "restore the file"));
  Model model = parse_model(text, task);
  model.id = text_or(run["model"], "id", model.id);
  model.name = text_or(run["model"], "name", model.name);
  if (asked.empty()) return model;
  const Model other = find_model(asked, task);
  if (other.id != model.id && to_text(other) != text) {  // --dropout has changed the text alone
    differs("--model", asked, model.id, "leave it out, or start a new run");
  }
  return model;
}

void check_same_data(const ordered_json& run, const Data& data) {
  const ordered_json& before = run["data"];
  const std::string advice = "give the run's own data set with --data, or start a new run";
  const auto check = [&](const char* what, const char* key, const ordered_json& now) {
    if (before.contains(key) && before[key] != now) {
      differs(what, now.dump(), before[key].dump(), advice);
    }
  };
  check("the number of training images", "train_images", data.train->count());
  check("the number of test images", "test_images", data.test->count());
  check("the training images' SHA-256", "sha256", data.sha256);
}

ordered_json resumed_run(ordered_json run, const TrainSettings& settings,
                         const std::vector<std::string>& command, int epoch, int step) {
  const ordered_json values = settings_json(settings);
  for (const auto& [name, value] : values.items()) run["settings"][name] = value;
  run["resumed"].push_back({{"at", utc_now()},
                            {"digitron", version()},
                            {"epoch", epoch},
                            {"step", step},
                            {"command", command}});
  return run;
}

}  // namespace digitron
