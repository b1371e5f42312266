// What goes through a tensor element by element: gather, pooling, ReLU, sums of positions.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

// Calls f(y element, x element) for every vector of two tensors of one shape.
template <class F>
inline void for_each_vector(Tensor y, Tensor x, F f) {
  for (int c = 0; c < y.channels; ++c)
    for (int p = 0; p < y.height; ++p) {
      float* y_row = y.row(c, p);
      float* x_row = x.row(c, p);
      for (int i = 0; i < y.width * kLanes; i += kWidth) f(y_row + i, x_row + i);
    }
}

inline void relu_forward(Tensor y, Tensor x) {
  for_each_vector(y, x, [](float* to, const float* from) { store(to, relu(load(from))); });
}

inline void relu_backward(Tensor dx, Tensor dy, Tensor y, float scale) {
  for (int c = 0; c < dx.channels; ++c)
    for (int p = 0; p < dx.height; ++p)
      for (int i = 0; i < dx.width * kLanes; i += kWidth)
        store(dx.row(c, p) + i,
              load(y.row(c, p) + i) > 0.0f ? load(dy.row(c, p) + i) * scale : Vec{});
}

// Calls value(channel, row, float offset in the row) and sums what it gives over all positions.
template <class F>
inline void sum_over_positions(float* db_by_lane, Tensor shape, F value) {
  for (int c = 0; c < shape.channels; ++c)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      Vec sum = {};
      for (int p = 0; p < shape.height; ++p)
        for (int q = 0; q < shape.width; ++q) sum += value(c, p, q * kLanes + lane);
      store(db_by_lane + c * kLanes + lane, sum);
    }
}

inline void sum_positions(float* db_by_lane, Tensor dy) {
  sum_over_positions(db_by_lane, dy, [=](int c, int p, int i) { return load(dy.row(c, p) + i); });
}

inline void sum_positive_positions(float* db_by_lane, Tensor dy, Tensor y) {
  sum_over_positions(db_by_lane, dy, [=](int c, int p, int i) {
    return load(y.row(c, p) + i) > 0.0f ? load(dy.row(c, p) + i) : Vec{};
  });
}

// ---- gather

typedef int32_t Quad __attribute__((vector_size(16), may_alias));
typedef int32_t UnalignedQuad __attribute__((vector_size(16), may_alias, aligned(1)));

inline Vec normalise(IntVec pixels, float scale, float shift) {
  return __builtin_convertvector(pixels, Vec) * scale + shift;
}

inline constexpr int kQuadVectors = 4 * kLanes / kWidth;  // of 16 pixels of kLanes images

// 16 pixels of each of `Images` images, from `pixel` on.
template <int Images>
inline auto load_quads(const uint8_t* const* image, int pixel) {
  if constexpr (Images == 1) {
    return Quad(*reinterpret_cast<const UnalignedQuad*>(image[0] + pixel));
  } else {
    return concatenate(load_quads<Images / 2>(image, pixel),
                       load_quads<Images / 2>(image + Images / 2, pixel));
  }
}

// From (image, quad) to (quad, image): twice, every second element first and then the others.
inline void transpose_quads(IntVec (&quads)[kQuadVectors]) {
#pragma GCC unroll 2
  for (int round = 0; round < 2; ++round) {
    IntVec next[kQuadVectors];
#pragma GCC unroll 8
    for (int i = 0; i < kQuadVectors / 2; ++i) {
      next[i] = every_second<0>(quads[2 * i], quads[2 * i + 1]);
      next[i + kQuadVectors / 2] = every_second<1>(quads[2 * i], quads[2 * i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kQuadVectors; ++i) quads[i] = next[i];
  }
}

// A pixel on the way through (channels, height, width).
struct PixelPlace {
  const PixelValues& form;
  int channel, row, column;

  PixelPlace(const PixelValues& values, int pixel)
      : form(values),
        channel(pixel / (values.height * values.width)),
        row(pixel / values.width % values.height),
        column(pixel % values.width) {}

  // Steps that divide the width.
  void advance(int by) {
    column += by;
    if (column < form.width) return;
    column = 0;
    if (++row < form.height) return;
    row = 0;
    ++channel;
  }
  float* in(const Tensor& x) const { return x.row(channel, row) + column * kLanes; }
  float scale() const { return form.scale[channel]; }
  float shift() const { return form.shift[channel]; }
};

// 16 pixels of each image, from `place` on, in rows of whole quads.
inline void gather_quads(Tensor x, const uint8_t* const* image, int count, int pixel,
                         PixelPlace& place) {
  IntVec quads[kQuadVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kQuadVectors; ++i) {
    quads[i] = load_quads<kWidth / 4>(image + i * kWidth / 4, pixel);
  }
  transpose_quads(quads);
#pragma GCC unroll 4
  for (int d = 0; d < 4; ++d, place.advance(4)) {
    float* to = place.in(x);
#pragma GCC unroll 4
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const IntVec four = quads[(d * kLanes + lane) / kWidth];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        store(to + i * kLanes + lane,
              normalise((four >> (8 * i)) & 255, place.scale(), place.shift()));
      }
    }
    for (int lane = count; lane < kLanes; ++lane)
      for (int i = 0; i < 4; ++i) to[i * kLanes + lane] = 0.0f;
  }
}

// Lanes from `count` on are 0, not a normalised 0: they take the first image's pixels on the way.
inline void gather(Tensor x, const uint8_t* const* images, int count, const PixelValues& form,
                   int first, int last) {
  const uint8_t* image[kLanes];
  for (int n = 0; n < kLanes; ++n) image[n] = images[n < count ? n : 0];
  PixelPlace place(form, first);
  int pixel = first;
  if (form.width % 4 == 0) {
    for (; pixel + kLanes <= last; pixel += kLanes) gather_quads(x, image, count, pixel, place);
  }
  for (; pixel < last; ++pixel, place.advance(1)) {
    float* to = place.in(x);
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<float>(image[lane][pixel]);
      to[lane] = lane < count ? value * place.scale() + place.shift() : 0.0f;
    }
  }
}

// Columns [first, last) of the rows, which are of one channel; column 0 is pixel `pixel`.
inline void gather_channel_rows(float* x_rows, int row_floats, const uint8_t* const* images,
                                int count, int pixel, int first, int last, float scale,
                                float shift) {
  for (int n = 0; n < count; ++n, x_rows += row_floats) {
    const uint8_t* image = images[n] + pixel;
    int i = first;
    if (first % kWidth == 0) {
      for (; i + kWidth <= last; i += kWidth) {
        store(x_rows + i, normalise(load_bytes(image + i), scale, shift));
      }
    }
    for (; i < last; ++i) x_rows[i] = static_cast<float>(image[i]) * scale + shift;
  }
}

inline void gather_rows(float* x_rows, int row_floats, const uint8_t* const* images, int count,
                        const PixelValues& form, int first_pixel) {
  const int plane = form.height * form.width;
  const int rest = form.channels * plane - first_pixel;
  const int pixels = row_floats < rest ? row_floats : rest;
  for (int first = 0, last = 0; first < pixels; first = last) {
    const int channel = (first_pixel + first) / plane;
    const int channel_end = (channel + 1) * plane - first_pixel;
    last = channel_end < pixels ? channel_end : pixels;
    gather_channel_rows(x_rows, row_floats, images, count, first_pixel, first, last,
                        form.scale[channel], form.shift[channel]);
  }
  for (int n = 0; n < kLanes; ++n, x_rows += row_floats)
    for (int i = n < count ? pixels : 0; i < row_floats; ++i) x_rows[i] = 0.0f;
}

// ---- max-pooling

// Calls f(window index, element) for the elements of a window from its corner on, in row-major
// order.
template <int Size, class Float, class F>
inline void for_each_in_window(Float* corner, std::ptrdiff_t row_stride, int size, F f) {
  const int k = Size ? Size : size;
  for (int i = 0; i < k; ++i)
    for (int j = 0; j < k; ++j) f(i * k + j, corner + i * row_stride + j * kLanes);
}

// Calls f(channel, element of y, its winners, window's corner in x) for every vector of y. Views
// come by value, here and in what follows: a vector store may alias anything the compiler can see
// an address of.
template <class F>
inline void for_each_window(Tensor y, Winners winners, Tensor x, Window window, F f) {
  for (int c = 0; c < y.channels; ++c) {
    uint16_t* winner = winners.at(c, 0);
    for (int p = 0; p < y.height; ++p)
      for (int q = 0; q < y.width; ++q)
        for (int lane = 0; lane < kLanes; lane += kWidth, winner += kWidth)
          f(c, y.row(c, p) + q * kLanes + lane, winner,
            x.row(c, p * window.stride) + q * window.stride * kLanes + lane);
  }
}

// The largest element of a window so far, the first of equal ones, and its index there.
struct Largest {
  Vec value;
  IntVec index;

  void compare(Vec other, int other_index) {
    const IntVec larger = other > value;
    value = larger ? other : value;
    index = larger ? IntVec{} + other_index : index;
  }
};

// Returns the winner, unless the ReLU cut it off.
inline IntVec store_pooled(float* y, Largest best, float bias, bool rectify) {
  const Vec value = best.value + broadcast(bias);
  store(y, rectify ? relu(value) : value);
  return !rectify ? best.index : (value > 0.0f ? best.index : IntVec{} + kNoWinner);
}

// A 2x2 window's largest element, of two in each row, and its winner where winners are wanted.
template <bool kWinners>
inline void pool_window(float* y, Winners winners, int channel, std::ptrdiff_t offset,
                        const Vec* upper, const Vec* lower, float bias, bool rectify) {
  Largest best = {upper[0], {}};
  best.compare(upper[1], 1);
  best.compare(lower[0], 2);
  best.compare(lower[1], 3);
  const IntVec winner = store_pooled(y, best, bias, rectify);
  if constexpr (kWinners) store_shorts(winners.at(channel, offset), winner);
}

// Size 0 means that the window's size is read at run time.
template <int Size>
void maxpool_forward_sized(Tensor y, Winners winners, Tensor x, const float* b, Window window,
                           bool rectify) {
  for_each_window(y, winners, x, window, [=](int c, float* to, uint16_t* winner, float* corner) {
    Largest best = {load(corner), {}};
    for_each_in_window<Size>(corner, x.row_stride, window.rows,
                             [&](int t, float* at) { best.compare(load(at), t); });
    store_shorts(winner, store_pooled(to, best, b ? b[c] : 0.0f, rectify));
  });
}

inline void maxpool_forward(Tensor y, Winners winners, Tensor x, const float* b, Window window,
                            bool rectify) {
  const auto sized = window.rows == 2 ? maxpool_forward_sized<2> : maxpool_forward_sized<0>;
  sized(y, winners, x, b, window, rectify);
}

template <int Size, bool Add>
void maxpool_backward_sized(Tensor dx, Tensor dy, Winners winners, Window window) {
  for_each_window(
      dy, winners, dx, window, [=](int, const float* from, uint16_t* winner, float* corner) {
        const Vec d = load(from);
        const IntVec index = load_shorts(winner);
        for_each_in_window<Size>(corner, dx.row_stride, window.rows, [&](int t, float* to) {
          const Vec routed = index == t ? d : Vec{};
          store(to, Add ? load(to) + routed : routed);
        });
      });
}

inline void maxpool_backward(Tensor dx, Tensor dy, Winners winners, Window window) {
  const auto sized =
      window.rows == 2 ? maxpool_backward_sized<2, false> : maxpool_backward_sized<0, false>;
  sized(dx, dy, winners, window);
}

inline void maxpool_backward_add(Tensor dx, Tensor dy, Winners winners, Window window) {
  maxpool_backward_sized<0, true>(dx, dy, winners, window);
}

}  // namespace digitron::DIGITRON_ISA
