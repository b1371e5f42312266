// From the word after --device to an engine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "host/core/devices.h"

namespace digitron {

// As many threads at a time as are fastest, of the cores that this process may use.
inline constexpr int kAutoThreads = 0;

// What the command line asks for.
struct DeviceRequest {
  // "auto" (CUDA when it is available, else the CPU), "cpu", "cuda:N", "reference"
  std::string device = "auto";
  int threads = kAutoThreads;  // for the CPU engine
  CudaOptions cuda = {};
};

// Begins the slow part of starting the device on a thread of its own, while the caller reads the
// data; make_engine then finds it started, or waits for it. Not joinable where there is nothing to
// start.
std::jthread start_device(const DeviceRequest& request);

struct MadeEngine {
  std::unique_ptr<Engine> engine;
  std::string fallback;  // why auto took the CPU although a driver is here; mostly empty
  // Measures what the engine's device can do at most, with as many threads; takes about a second.
  std::function<Ceilings()> ceilings = {};
};

// Logs a warning when auto falls back although a driver is here. Throws InputError for another
// word, a device that is not available (and why), options that make no sense or that the device
// does not have; MachineError when a number of threads cannot be started.
MadeEngine make_engine(const DeviceRequest& request, const Plan& plan);

// Every kind of device, those that cannot run here with the reason.
std::vector<DeviceReport> all_devices();

}  // namespace digitron
