// What a launch asks for besides its shape.
#pragma once

#include <cuda_runtime_api.h>

namespace host_cuda {

struct LaunchAttributes {
  dim3 cluster;
  bool programmatic = false;
};

// Refuses attributes that are not modelled, and what this device does not have.
cudaError_t read_attributes(const cudaLaunchConfig_t& config, LaunchAttributes& attributes);

}  // namespace host_cuda
