// The form of the data that every engine relies on. Constexpr and C++17: device code reads it too.
#pragma once

namespace digitron {

inline constexpr int kClasses = 10;

inline constexpr int kImageSide = 28;
inline constexpr int kImagePixels = kImageSide * kImageSide;

// Every engine normalises a pixel as (u8 / 255 - kPixelMean) / kPixelDeviation.
inline constexpr float kPixelMean = 0.1307f;
inline constexpr float kPixelDeviation = 0.3081f;

}  // namespace digitron
