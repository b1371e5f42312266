// The form of a data set's images, as plain data: kernels of every device take it by value. C++17.
#pragma once

#include <cstdint>

namespace digitron {

inline constexpr int kMostChannels = 4;

// Bytes (channels, height, width), row-major. A pixel p of a channel becomes
// (p / 255 - mean) / deviation.
struct PixelForm {
  int channels;
  int height;
  int width;
  float mean[kMostChannels];
  float deviation[kMostChannels];

  constexpr int plane() const { return height * width; }
  constexpr int count() const { return channels * plane(); }
};

}  // namespace digitron
