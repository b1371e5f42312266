// The settings of a run as they stand in run.json: an object with a member for each.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "host/train/settings.h"

namespace digitron {

// All settings in run.json's order.
std::vector<const Setting*> settings_in_json_order();

nlohmann::ordered_json settings_json(const TrainSettings& settings);

// `settings` with those that the object names; the other ones stay, also where an older program did
// not write them, but for a warm-up: it goes with the schedule that it is of, and where the run is
// no longer. Throws InputError naming the one whose value makes no sense.
TrainSettings settings_from_json(const nlohmann::ordered_json& json, TrainSettings settings = {});

// The settings that differ from the defaults.
nlohmann::ordered_json changed_settings_json(const TrainSettings& settings);

}  // namespace digitron
