// The form of MNIST's images, which most tests train on.
#pragma once

#include "host/core/task.h"

namespace digitron {

inline constexpr int kClasses = 10;

inline constexpr int kImageSide = 28;
inline constexpr int kImagePixels = kImageSide * kImageSide;

inline constexpr float kPixelMean = 0.1307f;
inline constexpr float kPixelDeviation = 0.3081f;

inline constexpr PixelForm kMnistForm{1, kImageSide, kImageSide, {kPixelMean}, {kPixelDeviation}};

}  // namespace digitron
