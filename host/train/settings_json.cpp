#include "host/train/settings_json.h"

#include <limits>
#include <map>
#include <type_traits>

#include "host/core/error.h"
#include "host/files/json_reader.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json to_json_value(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return to_text(value);
  } else {
    return value;
  }
}
template <class T>
ordered_json to_json_value(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

template <class T>
void read_value(T& value, const JsonReader& json, const char* key) {
  if constexpr (std::is_enum_v<T>) {
    parse(json.text(key), value);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = json.flag(key);
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    value = json.natural(key);
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    value = static_cast<T>(json.integer(key, Limits::min(), Limits::max()));
  } else {
    value = json.any_number(key);  // check_settings knows the limits
  }
}
template <class T>
void read_value(std::optional<T>& value, const JsonReader& json, const char* key) {
  if (json.has(key)) {
    read_value(value.emplace(), json, key);
  } else {
    value.reset();
  }
}

ordered_json json_of(const Setting& setting, const TrainSettings& settings) {
  return setting.with_value(settings, [](const auto& value) { return to_json_value(value); });
}

}  // namespace

std::vector<const Setting*> settings_in_json_order() {
  const TrainSettings settings;
  std::map<const void*, const Setting*> by_place;  // of the member in TrainSettings
  for (const Setting& setting : all_settings()) {
    setting.with_value(settings, [&](const auto& value) { by_place[&value] = &setting; });
  }
  std::vector<const Setting*> ordered;
  ordered.reserve(by_place.size());
  for (const auto& [place, setting] : by_place) ordered.push_back(setting);
  return ordered;
}

ordered_json settings_json(const TrainSettings& settings) {
  ordered_json json;
  for (const Setting* setting : settings_in_json_order()) {
    json[setting->name] = json_of(*setting, settings);
  }
  return json;
}

// A recipe's warm-up is part of its schedule, and made for runs that are longer.
TrainSettings settings_from_json(const ordered_json& json, TrainSettings settings) {
  const Schedule schedule = settings.schedule;
  const JsonReader reader(json, "run.json: settings", "restore the file, or start a new run");
  for (const Setting* setting : settings_in_json_order()) {
    if (!json.contains(setting->name)) continue;
    setting->with_value(settings, [&](auto& value) { read_value(value, reader, setting->name); });
  }
  if (settings.warmup && !json.contains("warmup") &&
      (settings.schedule != schedule || *settings.warmup >= settings.epochs)) {
    settings.warmup.reset();
  }
  return settings;
}

ordered_json changed_settings_json(const TrainSettings& settings) {
  ordered_json json;
  for (const Setting& setting : all_settings()) {
    if (!setting.is_default(settings)) json[setting.name] = json_of(setting, settings);
  }
  return json;
}

}  // namespace digitron
