#include "host/report/changes.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>

#include "host/core/error.h"
#include "host/report/run_group.h"
#include "host/text/text.h"
#include "host/train/settings.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

constexpr std::array kAugmentations{"shift", "rotate", "scale", "shear"};

bool regularises(const Layer& layer) {
  return std::holds_alternative<BatchNorm2d>(layer) || std::holds_alternative<Dropout>(layer);
}

std::vector<Layer> without_regularisation(const Plan& plan) {
  std::vector<Layer> layers;
  for (const PlannedLayer& planned : plan.layers) {
    if (!regularises(planned.layer)) layers.push_back(planned.layer);
  }
  return layers;
}

// "batch normalisation" or "dropout 0.5" -> the layers with weights that it comes after.
using Places = std::map<std::string, std::vector<std::string>>;

Places places_in(const Plan& plan) {
  Places places;
  std::string last = "the input";
  for (const PlannedLayer& planned : plan.layers) {
    if (std::holds_alternative<BatchNorm2d>(planned.layer)) {
      places["batch normalisation"].push_back(last);
    } else if (const auto* dropout = std::get_if<Dropout>(&planned.layer)) {
      places[fmt::format("dropout {}", dropout->probability)].push_back(last);
    } else if (planned.parameters) {
      last = planned.name;
    }
  }
  return places;
}

template <class Kind>
std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedLayer& planned : plan.layers) {
    if (std::holds_alternative<Kind>(planned.layer)) names.push_back(planned.name);
  }
  return names;
}

std::string place_text(const Plan& plan, const std::vector<std::string>& after) {
  if (after == names_of<Conv2d>(plan)) return "after each convolution";
  std::vector<std::string> hidden = names_of<Linear>(plan);
  if (!hidden.empty()) hidden.pop_back();
  if (after == hidden) return "after each hidden fully connected layer";
  return "after " + listed(after);
}

bool is_augmentation(const std::string& name) {
  return std::find(kAugmentations.begin(), kAugmentations.end(), name) != kAugmentations.end();
}

// Of a switch or a number that is off there.
bool is_off(const ordered_json& value) {
  return value.is_null() || (value.is_number() && value == 0) || value == false;
}

// An older program did not write every setting.
bool same_value(const ordered_json& a, const ordered_json& b) {
  return a == b || (is_off(a) && is_off(b));
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// "augmentation (shift 2, rotate 10)", or nothing where both have the same.
std::string augmentation_change(const ordered_json& from, const ordered_json& to) {
  std::string text;
  bool differs = false;
  for (const char* name : kAugmentations) {
    const ordered_json value = to.value(name, ordered_json());
    differs = differs || !same_value(value, from.value(name, ordered_json()));
    if (is_off(value)) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value_text(value));
  }
  if (!differs) return "";
  return text.empty() ? "no augmentation" : "augmentation (" + text + ")";
}

// "--label-smoothing" -> "label smoothing".
std::string option_name(const std::string& option) {
  if (option == "--augment") return "augmentation";
  return replaced(option.substr(std::min(option.find_first_not_of('-'), option.size())), "-", " ");
}

// Whether a model of this id is trained otherwise than in the reference job.
bool has_recipe(const std::string& id) {
  const TrainSettings recipe = recipe_of(id);
  const std::span<const Setting> settings = all_settings();
  return !std::all_of(settings.begin(), settings.end(),
                      [&](const Setting& setting) { return setting.is_default(recipe); });
}

std::vector<std::string> model_changes(const Plan& from, const std::string& name_or_text) {
  try {
    const Plan to = make_plan(find_model(name_or_text), from.batch);
    if (!same_but_regularised(from, to)) return {"model " + name_or_text};
    std::vector<std::string> changes = layer_changes(from, to);
    if (to.model.id != from.model.id && has_recipe(to.model.id)) {
      changes.push_back("the training of " + to.model.id);
    }
    return changes;
  } catch (const InputError&) {  // of another version, say
    return {"model " + name_or_text};
  }
}

}  // namespace

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text;
}

bool same_but_regularised(const Plan& a, const Plan& b) {
  return without_regularisation(a) == without_regularisation(b);
}

std::vector<std::string> layer_changes(const Plan& from, const Plan& to) {
  const Places before = places_in(from);
  const Places after = places_in(to);
  std::vector<std::string> changes;
  for (const auto& [what, places] : after) {
    const auto entry = before.find(what);
    if (entry != before.end() && entry->second == places) continue;
    changes.push_back(what + ' ' + place_text(to, places));
  }
  for (const auto& [what, places] : before) {
    if (!after.contains(what)) changes.push_back("no " + what);
  }
  if (to.model.views != from.model.views) {
    changes.push_back(to.model.views == 1 ? "one view" : fmt::format("{} views", to.model.views));
  }
  return changes;
}

std::vector<std::string> setting_changes(const ordered_json& from, const ordered_json& to) {
  std::vector<std::string> changes;
  if (!from.is_object() || !to.is_object()) return changes;
  for (const auto& [name, value] : to.items()) {
    if (is_incidental(name) || is_augmentation(name)) continue;
    const ordered_json before = from.value(name, ordered_json());
    if (same_value(value, before)) continue;
    const std::string instead = is_off(before) ? "" : " instead of " + value_text(before);
    changes.push_back(spaced(name) + ' ' + value_text(value) + instead);
  }
  const std::string augmentation = augmentation_change(from, to);
  if (!augmentation.empty()) changes.push_back(augmentation);
  return changes;
}

std::string changes_text(const RunRecord& from, const RunRecord& to) {
  std::vector<std::string> changes = layer_changes(*from.plan, *to.plan);
  const ordered_json* before = from.find({"settings"});
  const ordered_json* after = to.find({"settings"});
  if (before != nullptr && after != nullptr) {
    const std::vector<std::string> settings = setting_changes(*before, *after);
    changes.insert(changes.end(), settings.begin(), settings.end());
  }
  return changes.empty() ? "nothing" : listed(changes);
}

std::string option_text(const Plan& from, const std::vector<std::string>& options) {
  std::vector<std::string> parts;
  bool wants_value = false;
  for (const std::string& word : options) {
    const bool is_option = word.starts_with("--");
    if (!is_option && wants_value && parts.back() == "model") {
      parts.pop_back();
      const std::vector<std::string> changes = model_changes(from, word);
      parts.insert(parts.end(), changes.begin(), changes.end());
    } else if (!is_option && wants_value) {
      parts.back() += ' ' + word;
    } else {
      parts.push_back(option_name(word));
    }
    wants_value = is_option;
  }
  std::erase(parts, "");
  return listed(parts);
}

}  // namespace digitron
