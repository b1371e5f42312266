// From a data set's bytes to what the networks see.
#pragma once

#include "host/shared/dataset_constants.h"

namespace digitron {

__device__ inline float normalised(unsigned char pixel) {
  return (static_cast<float>(pixel) / 255.0f - kPixelMean) / kPixelDeviation;
}

}  // namespace digitron
