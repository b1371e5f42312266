// What the fused step's kernels know of the task: its images and classes are MNIST's in number and
// size, which all that is said of shared memory rests on. How pixels are normalised they are told.
#pragma once

#include "host/shared/pixel_form.h"

namespace digitron {

inline constexpr int kClasses = 10;
inline constexpr int kImageSide = 28;
inline constexpr int kImagePixels = kImageSide * kImageSide;

// Its height and width, for what does not read the mean; a function, since device code may refer to
// no constant of the host's.
constexpr PixelForm sample_form() {
  return {1, kImageSide, kImageSide, {}, {}};
}

constexpr bool has_sample_form(const PixelForm& form, int classes) {
  return form.channels == 1 && form.height == kImageSide && form.width == kImageSide &&
         classes == kClasses;
}

}  // namespace digitron
