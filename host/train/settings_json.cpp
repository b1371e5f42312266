#include "host/train/settings_json.h"

#include <algorithm>

#include "host/core/error.h"
#include "host/files/json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// Calls f(name in run.json, setting) for all of them: the one list of settings by name.
template <class Settings, class F>
void for_each_setting(Settings& s, F f) {
  f("epochs", s.epochs);
  f("batch", s.batch);
  f("lr", s.lr);
  f("momentum", s.momentum);
  f("weight_decay", s.weight_decay);
  f("seed", s.seed);
  f("shuffle", s.shuffle);
  f("max_steps", s.max_steps);
  f("log_steps", s.log_steps);
  f("optimizer", s.optimizer);
  f("beta1", s.beta1);
  f("beta2", s.beta2);
  f("eps", s.eps);
  f("ema", s.ema);
  f("schedule", s.schedule);
  f("warmup", s.warmup);
  f("step_epochs", s.step_epochs);
  f("gamma", s.gamma);
  f("label_smoothing", s.label_smoothing);
  f("shift", s.shift);
  f("rotate", s.rotate);
  f("scale", s.scale);
  f("shear", s.shear);
  f("validation", s.validation);
  f("patience", s.patience);
}

template <class T>
ordered_json to_json_value(const T& value) {
  return value;
}
template <class T>
ordered_json to_json_value(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}
ordered_json to_json_value(OptimizerKind kind) {
  return to_text(kind);
}
ordered_json to_json_value(Schedule schedule) {
  return to_text(schedule);
}

template <class T>
void from_json_value(T& value, const ordered_json& json) {
  value = json.get<T>();
}
template <class T>
void from_json_value(std::optional<T>& value, const ordered_json& json) {
  value = json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
}
void from_json_value(OptimizerKind& kind, const ordered_json& json) {
  kind = parse_optimizer(json.get<std::string>());
}
void from_json_value(Schedule& schedule, const ordered_json& json) {
  schedule = parse_schedule(json.get<std::string>());
}

}  // namespace

ordered_json settings_json(const TrainSettings& settings) {
  ordered_json json;
  for_each_setting(settings,
                   [&](const char* name, const auto& value) { json[name] = to_json_value(value); });
  return json;
}

TrainSettings settings_from_json(const ordered_json& json) {
  TrainSettings settings;
  for_each_setting(settings, [&](const char* name, auto& value) {
    if (!json.contains(name)) return;
    try {
      from_json_value(value, json[name]);
    } catch (const nlohmann::json::exception&) {
      throw InputError("run.json says " + json[name].dump() + " for " + name +
                       "; restore the file, or start a new run");
    }
  });
  return settings;
}

std::string option_of_setting(std::string name) {
  if (name == "shuffle") return "--no-shuffle";
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::vector<std::string> setting_options() {
  std::vector<std::string> options;
  TrainSettings settings;
  for_each_setting(
      settings, [&](const char* name, const auto&) { options.push_back(option_of_setting(name)); });
  return options;
}

void copy_setting(TrainSettings& to, const TrainSettings& from, const std::string& option) {
  const ordered_json values = settings_json(from);
  for_each_setting(to, [&](const char* name, auto& value) {
    if (option_of_setting(name) == option) from_json_value(value, values[name]);
  });
}

}  // namespace digitron
