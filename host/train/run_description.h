// run.json of a run that begins: what was run, where and with what.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "host/core/dataset.h"
#include "host/train/session.h"

namespace digitron {

// The engine, what the request asked for, and make_engine's `fallback`.
nlohmann::ordered_json device_description(const DeviceRequest& request, const Engine& engine,
                                          const std::string& fallback);
nlohmann::ordered_json run_description(const SessionRequest& request, const TrainSettings& settings,
                                       const Engine& engine, const std::string& fallback,
                                       const Data& data);

}  // namespace digitron
