#include "host/train/settings_json.h"

#include <map>

#include "host/core/error.h"
#include "host/files/json.h"

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
void from_json_value(T& value, const ordered_json& json) {
  if constexpr (std::is_enum_v<T>) {
    parse(json.get<std::string>(), value);
  } else {
    value = json.get<T>();
  }
}
template <class T>
void from_json_value(std::optional<T>& value, const ordered_json& json) {
  value = json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
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

TrainSettings settings_from_json(const ordered_json& json, TrainSettings settings) {
  for (const Setting* setting : settings_in_json_order()) {
    const auto entry = json.find(setting->name);
    if (entry == json.end()) continue;
    try {
      setting->with_value(settings, [&](auto& value) { from_json_value(value, *entry); });
    } catch (const nlohmann::json::exception&) {
      throw InputError("run.json says " + entry->dump() + " for " + setting->name +
                       "; restore the file, or start a new run");
    }
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
