// An engine that is ready for its first step, and what it took to get there.
#pragma once

#include <memory>
#include <string>

#include "host/data/data.h"
#include "host/devices/devices.h"
#include "host/train/settings.h"

namespace digitron {

struct SetUp {
  Data data;
  std::unique_ptr<Engine> engine;      // it holds the data and initial parameters
  std::function<Ceilings()> ceilings;  // as MadeEngine has them
  double data_seconds = 0;             // to read the data, and to put it on the device
  double module_seconds = 0;           // to make the engine, as far as that was not done meanwhile
};

// Reads the data (as load_data takes it) while the device starts. Throws InputError for settings
// that make no sense or do not fit the data, and what load_data and make_engine throw.
SetUp set_up(const Model& model, const TrainSettings& settings, const DeviceRequest& device,
             const std::string& data);

}  // namespace digitron
