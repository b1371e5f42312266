// The module's one exported name; cuda/module.map hides the rest.
#pragma once

#include "host/core/devices.h"

extern "C" const digitron::CudaModule digitron_cuda_module;
