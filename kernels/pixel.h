// From a data set's bytes to what the networks see.
#pragma once

#include "host/shared/pixel_form.h"

namespace digitron {

__device__ inline float normalised(unsigned char pixel, const PixelForm& form, int channel) {
  return (static_cast<float>(pixel) / 255.0f - form.mean[channel]) / form.deviation[channel];
}

}  // namespace digitron
