// The settings of a run as they stand in run.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/train/train_settings.h"

namespace digitron {

// Every setting under its name, in the order of the command's help.
nlohmann::ordered_json settings_json(const TrainSettings& settings);

// The settings from run.json; one that an older program did not write keeps its default. Throws
// InputError naming the one whose value makes no sense.
TrainSettings settings_from_json(const nlohmann::ordered_json& json);

// The option of the setting of that name in run.json: "--label-smoothing".
std::string option_of_setting(std::string name);

// The options of all settings.
std::vector<std::string> setting_options();

// Copies the setting of one option.
void copy_setting(TrainSettings& to, const TrainSettings& from, const std::string& option);

}  // namespace digitron
