// Augmentation on vectors: a whole image through its map, kWidth pixels at a time.
#pragma once

#include "host/cpu/kernels/vector.h"
#include "host/shared/augment.h"

namespace digitron::DIGITRON_ISA {

// The image with a black border, so that all of a clamped coordinate's neighbours exist: pixel
// (row, column) is at (row + 1) * stride + column + 1.
inline void add_border(uint8_t* bordered, const uint8_t* image, int height, int width, int stride) {
  __builtin_memset(bordered, 0, static_cast<size_t>(stride * (height + 3)));
  for (int row = 0; row < height; ++row) {
    __builtin_memcpy(bordered + (row + 1) * stride + 1, image + row * width,
                     static_cast<size_t>(width));
  }
}

inline IntVec clamp_coordinate(IntVec x, int side) {
  const int32_t last = side << 16;
  x = x < -kFixedOne ? IntVec{} - kFixedOne : x;
  return x > last ? IntVec{} + last : x;
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

// A bordered image; kStride 0 means that `stride` is read at run time.
template <int kStride>
struct Bordered {
  const uint8_t* bytes;
  int height, width, stride;

  // As digitron::sample, for kWidth pixels.
  IntVec sample(IntVec x, IntVec y) const {
    const int row = kStride ? kStride : stride;
    x = clamp_coordinate(x, width);
    y = clamp_coordinate(y, height);
    const IntVec offset = ((y >> 16) + 1) * row + (x >> 16) + 1;
    const IntVec right_part = (x >> 8) & 255;
    const IntVec upper = between_pairs(load_pairs(bytes, offset), right_part);
    const IntVec lower = between_pairs(load_pairs(bytes + row, offset), right_part);
    return ((upper << 8) + (lower - upper) * ((y >> 8) & 255) + (1 << 15)) >> 16;
  }
};

template <int kStride>
void augment_bordered(uint8_t* out, Bordered<kStride> image, const AffineMap& map) {
  IntVec columns;
  for (int i = 0; i < kWidth; ++i) columns[i] = i;
  for (int row = 0; row < image.height; ++row) {
    const int32_t x = map.x0 + map.xy * row;
    const int32_t y = map.y0 + map.yy * row;
    for (int column = 0; column < image.width; column += kWidth) {
      // The last vector of a row begins earlier: its first pixels are made twice.
      const int first = column + kWidth <= image.width ? column : image.width - kWidth;
      const IntVec at = columns + first;
      const IntVec values = image.sample(x + at * map.xx, y + at * map.yx);
      *reinterpret_cast<ByteVec*>(out + row * image.width + first) =
          __builtin_convertvector(__builtin_convertvector(values, ShortVec), ByteVec);
    }
  }
}

inline void augment_image(uint8_t* out, const uint8_t* image, int height, int width,
                          const AffineMap& map) {
  uint8_t bordered[kMostBorderedBytes];
  const int stride = bordered_stride(width);
  add_border(bordered, image, height, width, stride);
  constexpr int kMnistStride = 32;
  if (stride == kMnistStride) {
    augment_bordered(out, Bordered<kMnistStride>{bordered, height, width, stride}, map);
  } else {
    augment_bordered(out, Bordered<0>{bordered, height, width, stride}, map);
  }
}

}  // namespace digitron::DIGITRON_ISA
