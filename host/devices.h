// From the word after --device to an engine.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine.h"

namespace digitron {

// device: "auto" (CUDA when it is available, else the CPU), "cpu", "cuda" or "cuda:N". threads: of
// the CPU engine, 0 for every core. Throws InputError for another word, a device that is not
// available (and why), or a number of threads that makes no sense.
std::unique_ptr<Engine> make_engine(std::string_view device, const Plan& plan, int threads);

// Every kind of device, those that cannot run here with the reason.
std::vector<DeviceReport> all_devices();

}  // namespace digitron
