// What the engine runs on: a GPU, its driver, and the libraries with the files they come from.
#pragma once

#include <string>
#include <vector>

#include "host/core/devices.h"

namespace digitron {

// As CUDA counts: 13000 for 13.0. Throw MachineError.
int driver_version();   // the newest CUDA that the driver knows
int runtime_version();  // the CUDA that this was built with

std::string cuda_version_text(int version);  // "13.0"

// Group "gpu": name, UUID, compute capability. Group "libraries": the driver's CUDA, and version
// and path of cuDNN, cuBLAS and cuBLASLt as they are loaded here, CUDA's own runtime being part of
// this. Throws MachineError.
std::vector<Detail> system_details(int device);

}  // namespace digitron
