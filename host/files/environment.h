// The time and an engine, as run.json and other records name them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/core/engine.h"

namespace digitron {

std::string utc_now();  // ISO 8601, "2026-01-31T12:00:00Z"

// An engine's details as {group: {name: value}}, in their order.
nlohmann::ordered_json details_json(const std::vector<Detail>& details);

}  // namespace digitron
