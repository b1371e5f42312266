// run.json of a run that begins: what was run, where and with what.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/core/dataset.h"
#include "host/devices/devices.h"
#include "host/train/train_settings.h"

namespace digitron {

// The part of run.json that only the program knows.
struct RunRequest {
  std::vector<std::string> command;  // argv
  DeviceRequest device;
  std::string fallback;  // of make_engine
  std::string init;      // file of initial parameters; empty: drawn from the seed
};

// The engine, what the request asked for, and why it is not what auto would rather have taken.
nlohmann::ordered_json device_description(const RunRequest& request, const Engine& engine);
nlohmann::ordered_json run_description(const RunRequest& request, const TrainSettings& settings,
                                       const Engine& engine, const Data& data);

}  // namespace digitron
