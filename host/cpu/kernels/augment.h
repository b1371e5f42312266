// Augmentation on vectors: a whole image through its map, kWidth pixels at a time.
#pragma once

#include "host/cpu/kernels/vector.h"
#include "host/shared/augment.h"

namespace digitron::DIGITRON_ISA {

// The image with a black border, so that all of a clamped coordinate's neighbours exist: pixel
// (row, column) is at (row + 1) * kBorderedStride + column + 1.
inline constexpr int kBorderedStride = 32;
inline constexpr int kBorderedBytes = kBorderedStride * (kImageSide + 3);

inline void add_border(uint8_t* bordered, const uint8_t* image) {
  __builtin_memset(bordered, 0, kBorderedBytes);
  for (int row = 0; row < kImageSide; ++row) {
    __builtin_memcpy(bordered + (row + 1) * kBorderedStride + 1, image + row * kImageSide,
                     kImageSide);
  }
}

inline IntVec clamp_coordinate(IntVec x) {
  constexpr int32_t kLast = kImageSide << 16;
  x = x < -kFixedOne ? IntVec{} - kFixedOne : x;
  return x > kLast ? IntVec{} + kLast : x;
}

// The bytes at `offset` and after it, one pair of neighbours a lane: the first in the low 8 bits,
// the second in the next.
inline IntVec load_pairs(const uint8_t* bytes, IntVec offset) {
  IntVec pairs;
  for (int i = 0; i < kWidth; ++i) {
    uint16_t pair;
    __builtin_memcpy(&pair, bytes + offset[i], sizeof(pair));
    pairs[i] = pair;
  }
  return pairs;
}

// Between the two of each pair, at fraction / 256 of the way, times 256.
inline IntVec between_pairs(IntVec pairs, IntVec fraction) {
  const IntVec first = pairs & 255;
  return (first << 8) + ((pairs >> 8) - first) * fraction;
}

// As digitron::sample, for kWidth pixels.
inline IntVec sample_vector(const uint8_t* bordered, IntVec x, IntVec y) {
  x = clamp_coordinate(x);
  y = clamp_coordinate(y);
  const IntVec offset = ((y >> 16) + 1) * kBorderedStride + (x >> 16) + 1;
  const IntVec right_part = (x >> 8) & 255;
  const IntVec upper = between_pairs(load_pairs(bordered, offset), right_part);
  const IntVec lower = between_pairs(load_pairs(bordered + kBorderedStride, offset), right_part);
  return ((upper << 8) + (lower - upper) * ((y >> 8) & 255) + (1 << 15)) >> 16;
}

inline void augment_image(uint8_t* out, const uint8_t* image, const AffineMap& map) {
  uint8_t bordered[kBorderedBytes];
  add_border(bordered, image);
  IntVec columns;
  for (int i = 0; i < kWidth; ++i) columns[i] = i;
  static_assert(kWidth <= kImageSide);
  for (int row = 0; row < kImageSide; ++row) {
    const int32_t x = map.x0 + map.xy * row;
    const int32_t y = map.y0 + map.yy * row;
    for (int column = 0; column < kImageSide; column += kWidth) {
      // The last vector of a row begins earlier: its first pixels are made twice.
      const int first = column + kWidth <= kImageSide ? column : kImageSide - kWidth;
      const IntVec at = columns + first;
      const IntVec values = sample_vector(bordered, x + at * map.xx, y + at * map.yx);
      *reinterpret_cast<ByteVec*>(out + row * kImageSide + first) =
          __builtin_convertvector(__builtin_convertvector(values, ShortVec), ByteVec);
    }
  }
}

}  // namespace digitron::DIGITRON_ISA
