// A training run from the request to the last line of its log.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/devices/devices.h"
#include "host/files/json.h"
#include "host/train/trainer.h"

namespace digitron {

// What the command line asks for. What is empty has not been given: a new run takes the default, a
// resumed one what it began with.
struct SessionRequest {
  std::vector<std::string> command;  // argv, for run.json
  std::string model;                 // a name or text; default: lenet5
  std::optional<double> dropout;     // probability of every dropout layer; default: the model's
  std::string data;                  // as load_data takes it
  DeviceRequest device;
  // By name, as in run.json; default: the model's recipe.
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  std::string out;            // directory of a new run; default: runs/MODEL, or beside it
  bool overwrite = false;     // whether the run that `out` holds gives way
  std::string like;           // run that a new one takes model, data and settings from
  std::string init;           // file of a new run's initial parameters; default: drawn
  std::string resume;         // directory of the run to continue; empty: a new one
  std::string profile_steps;  // "A:B": what profilers capture; empty: nothing is said to them
  bool force = false;         // let a resumed run change its settings
};

// Begins or continues a run, trains it to its end or until the flag is raised, and tests it. The
// flag is asked for when training begins: what comes before may take long, and writes nothing that
// has to be finished. Throws InputError for what makes no sense, before a file is written where
// that can be known, and what Trainer::run throws.
using StopFlag = std::function<const std::atomic<bool>&()>;
TrainResult run_session(const SessionRequest& request, const StopFlag& stop_flag);

}  // namespace digitron
