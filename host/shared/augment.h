// Data augmentation: every image of an epoch through a random affine map of its own, sampled
// bilinearly, black outside. The result is a u8 image again, as torchvision's RandomAffine makes it
// of a PIL image. All of it is integer arithmetic, so that every engine draws the same bits.
// Constexpr and C++17: device code calls these functions too.
#pragma once

#include <cstdint>

#include "host/shared/philox.h"
#include "host/shared/pixel_form.h"

namespace digitron {

// How far the maps may go, each drawn uniformly from [-limit, limit). Fixed point with 16
// fractional bits; all zero: no augmentation.
struct Augmentation {
  int32_t shift = 0;   // pixels, along each axis
  int32_t rotate = 0;  // radians, up to kMostAngle
  int32_t scale = 0;   // the factor's distance from 1, up to kMostScale
  int32_t shear = 0;   // radians, up to kMostAngle

  constexpr bool any() const { return shift != 0 || rotate != 0 || scale != 0 || shear != 0; }
};

inline constexpr int32_t kFixedOne = 1 << 16;
inline constexpr int32_t kMostAngle = 51472;  // 45 degrees
inline constexpr int32_t kMostShift = 28;     // pixels
inline constexpr int32_t kMostScale = 58982;  // 0.9

// Where output pixel (column, row) comes from, in fixed point:
//   x = x0 + xx * column + xy * row,   y = y0 + yx * column + yy * row
struct AffineMap {
  int32_t xx, xy, x0;
  int32_t yx, yy, y0;
};

namespace augment {

// a * b, both with 16 fractional bits; b may be as large as 64 bits allow.
constexpr int64_t multiply(int64_t a, int64_t b) {
  return (a * b) >> 16;
}

// Uniform in [-limit, limit).
constexpr int64_t symmetric(uint32_t word, int32_t limit) {
  return ((static_cast<int64_t>(word) * 2 * limit) >> 32) - limit;
}

// Taylor's polynomials, within 3e-5 up to kMostAngle.
constexpr int64_t sine(int64_t a) {
  const int64_t square = multiply(a, a);
  return multiply(
      a,
      kFixedOne - multiply(square, kFixedOne - square / 20 + multiply(square, square) / 840) / 6);
}
constexpr int64_t cosine(int64_t a) {
  const int64_t square = multiply(a, a);
  return kFixedOne - multiply(square, kFixedOne - square / 12 + multiply(square, square) / 360) / 2;
}

// A coordinate no further outside than where all that is read is black; the image begins at 0 and
// ends at `side`.
constexpr int32_t clamp(int32_t x, int side) {
  const int32_t last = side << 16;
  return x < -kFixedOne ? -kFixedOne : x > last ? last : x;
}

constexpr int32_t pixel(const uint8_t* plane, const PixelForm& form, int32_t row, int32_t column) {
  const bool inside = row >= 0 && row < form.height && column >= 0 && column < form.width;
  return inside ? plane[row * form.width + column] : 0;
}

// Between a and b, at fraction / 256 of the way, times 256.
constexpr int32_t between(int32_t a, int32_t b, int32_t fraction) {
  return a * 256 + (b - a) * fraction;
}

}  // namespace augment

// The map of one image in one epoch, of all its channels: about the image's centre, shear along x,
// scale, rotate, shift, turned around.
constexpr AffineMap draw_map(const Augmentation& limits, const PixelForm& form, uint64_t seed,
                             uint32_t epoch, uint32_t image) {
  using namespace augment;
  const RandomWords first = random_words(seed, Purpose::kAugmentation, epoch, image);
  const RandomWords second =
      random_words(seed, Purpose::kAugmentation, epoch, image + (uint64_t{1} << 32));
  const int64_t angle = symmetric(first.word[0], limits.rotate);
  const int64_t right = symmetric(first.word[1], limits.shift);
  const int64_t down = symmetric(first.word[2], limits.shift);
  const int64_t scale = kFixedOne + symmetric(first.word[3], limits.scale);
  const int64_t shear = symmetric(second.word[0], limits.shear);

  // The inverse of rotation times scale, then of the shear: (1, -tan; 0, 1).
  const int64_t c = cosine(angle) * kFixedOne / scale;
  const int64_t s = sine(angle) * kFixedOne / scale;
  const int64_t tangent = sine(shear) * kFixedOne / cosine(shear);
  const int64_t xx = c + multiply(tangent, s);
  const int64_t xy = s - multiply(tangent, c);
  const int64_t yx = -s;
  const int64_t yy = c;
  const int64_t middle = (form.width - 1) * (kFixedOne / 2);
  const int64_t centre = (form.height - 1) * (kFixedOne / 2);
  const int64_t x = middle + right;
  const int64_t y = centre + down;
  return {static_cast<int32_t>(xx),
          static_cast<int32_t>(xy),
          static_cast<int32_t>(middle - multiply(xx, x) - multiply(xy, y)),
          static_cast<int32_t>(yx),
          static_cast<int32_t>(yy),
          static_cast<int32_t>(centre - multiply(yx, x) - multiply(yy, y))};
}

// Output pixel (column, row) of a channel, `plane`.
constexpr uint8_t sample(const uint8_t* plane, const PixelForm& form, const AffineMap& map, int row,
                         int column) {
  using namespace augment;
  const int32_t x = clamp(map.x0 + map.xx * column + map.xy * row, form.width);
  const int32_t y = clamp(map.y0 + map.yx * column + map.yy * row, form.height);
  const int32_t left = x >> 16;
  const int32_t top = y >> 16;
  const int32_t right_part = (x >> 8) & 255;
  const int32_t upper =
      between(pixel(plane, form, top, left), pixel(plane, form, top, left + 1), right_part);
  const int32_t lower =
      between(pixel(plane, form, top + 1, left), pixel(plane, form, top + 1, left + 1), right_part);
  return static_cast<uint8_t>((between(upper, lower, (y >> 8) & 255) + (1 << 15)) >> 16);
}

}  // namespace digitron
