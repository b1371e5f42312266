// From the word after --device to an engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/engine.h"

namespace digitron {

// What the command line asks for.
struct DeviceRequest {
  // "auto" (CUDA when it is available, else the CPU), "cpu", "cuda:N", "reference"
  std::string device = "auto";
  int threads = 0;  // of the CPU engine; 0: every core
  CudaOptions cuda = {};
};

// Throws InputError for another word, a device that is not available (and why), options that make
// no sense or that the device does not have.
std::unique_ptr<Engine> make_engine(const DeviceRequest& request, const Plan& plan);

// Every kind of device, those that cannot run here with the reason.
std::vector<DeviceReport> all_devices();

}  // namespace digitron
