// Convolution of stride 1 by Winograd's minimal filtering F(M, K) along rows: M outputs side by
// side take M + K - 1 products where the definition takes M K, that is 9 for 25 of 5 and 5 taps.
//
//   y = A^T [ (G w) * (B^T x) ]      *: point by point; x: M + K - 1 inputs, w: K taps
//
// (S. Winograd, Arithmetic complexity of computations, 1980; A. Lavin and S. Gray, Fast algorithms
// for convolutional neural networks, 2016.) The three transforms are linear and go along a row, so
// channels and kernel rows are summed between them, at each point by itself: G w there is a kernel
// of one column, and B^T x a tensor with a column for each tile of outputs. Backward, each
// transform is the transposed one.
#pragma once

#include "host/cpu/kernels/elementwise.h"
#include "host/cpu/kernels/winograd_matrices.h"

namespace digitron::DIGITRON_ISA {

// Every second of `values` from kFirst on, times its coefficient; those that are 0 cost nothing.
template <int kFirst, int kCount>
inline Vec every_second(const float (&coefficients)[kCount], const Vec (&values)[kCount]) {
  Vec sum = {};
#pragma GCC unroll 9
  for (int j = kFirst; j < kCount; j += 2) {
    if (coefficients[j] != 0.0f) sum += coefficients[j] * values[j];
  }
  return sum;
}

// to[k] = the products of row k of `matrix`, summed: of its first row, of pairs, and of its last.
template <int kPoints, int kCount>
inline void to_points(Vec (&to)[kPoints], const float (&matrix)[kPoints][kCount],
                      const Vec (&from)[kCount]) {
#pragma GCC unroll 4
  for (int k = kFirstPair<kPoints>; k < kPoints - 1; k += 2) {
    const Vec even = every_second<0>(matrix[k], from);
    const Vec odd = every_second<1>(matrix[k], from);
    to[k] = even + odd;
    to[k + 1] = even - odd;
  }
  if (kFirstPair<kPoints> == 1) to[0] = every_second<0>(matrix[0], from);
  to[kPoints - 1] = every_second<(kCount - 1) % 2>(matrix[kPoints - 1], from);
}

// And back: to[j] = the products of column j.
template <int kPoints, int kCount>
inline void from_points(Vec (&to)[kCount], const float (&matrix)[kPoints][kCount],
                        const Vec (&from)[kPoints]) {
#pragma GCC unroll 9
  for (int j = 0; j < kCount; ++j) {
    Vec sum = {};
    if (kFirstPair<kPoints> == 1 && matrix[0][j] != 0.0f) sum += matrix[0][j] * from[0];
    if (matrix[kPoints - 1][j] != 0.0f) sum += matrix[kPoints - 1][j] * from[kPoints - 1];
#pragma GCC unroll 4
    for (int k = kFirstPair<kPoints>; k < kPoints - 1; k += 2) {
      const Vec pair = j % 2 == 0 ? from[k] + from[k + 1] : from[k] - from[k + 1];
      if (matrix[k][j] != 0.0f) sum += matrix[k][j] * pair;
    }
    to[j] = sum;
  }
}

// Calls f(channel, row, tile, columns of `tensor` from the tile's first on).
template <class Form, class F>
inline void for_each_winograd_tile(Tensor points, Tensor tensor, F f) {
  for (int c = 0; c < tensor.channels; ++c)
    for (int p = 0; p < tensor.height; ++p)
      for (int t = 0; t < points.width; ++t) f(c, p, t, tensor.width - t * Form::kOutputs);
}

// What a tile has of a row, 0 where that has ended.
template <int kCount>
inline void load_tile(Vec (&to)[kCount], const float* from, int columns) {
  if (columns >= kCount) {
#pragma GCC unroll 9
    for (int j = 0; j < kCount; ++j) to[j] = load(from + j * kLanes);
  } else {
#pragma GCC unroll 9
    for (int j = 0; j < kCount; ++j) to[j] = j < columns ? load(from + j * kLanes) : Vec{};
  }
}

template <int kPoints>
inline void store_points(PointTensor to, int channel, int row, int tile,
                         const Vec (&values)[kPoints]) {
  float* at = to.row(channel, row) + tile * kLanes;
#pragma GCC unroll 9
  for (int k = 0; k < kPoints; ++k) store(at + k * to.point_stride, values[k]);
}

template <int kPoints>
inline void load_points(Vec (&values)[kPoints], PointTensor from, int channel, int row, int tile) {
  const float* at = from.row(channel, row) + tile * kLanes;
#pragma GCC unroll 9
  for (int k = 0; k < kPoints; ++k) values[k] = load(at + k * from.point_stride);
}

template <class Form>
void winograd_input_tiles(PointTensor v, Tensor x) {
  for_each_winograd_tile<Form>(v, x, [=](int c, int p, int t, int columns) {
    constexpr int kPoints = Form::kPoints;
    Vec values[kPoints], points[kPoints];
    load_tile(values, x.row(c, p) + t * Form::kOutputs * kLanes, columns);
    to_points(points, kMatrices<Form>.input, values);
    store_points(v, c, p, t, points);
  });
}

template <class Form>
void winograd_output_tiles(Tensor y, PointTensor m, const float* b, bool rectify) {
  for_each_winograd_tile<Form>(m, y, [=](int c, int p, int t, int columns) {
    Vec points[Form::kPoints], values[Form::kOutputs];
    load_points(points, m, c, p, t);
    from_points(values, kMatrices<Form>.output, points);
    float* at = y.row(c, p) + t * Form::kOutputs * kLanes;
    for (int j = 0; j < Form::kOutputs && j < columns; ++j) {
      const Vec value = b ? values[j] + b[c] : values[j];
      store(at + j * kLanes, rectify ? relu(value) : value);
    }
  });
}

template <class Form>
void winograd_output_gradient_tiles(PointTensor m, Tensor dy) {
  for_each_winograd_tile<Form>(m, dy, [=](int c, int p, int t, int columns) {
    Vec points[Form::kPoints], values[Form::kOutputs];
    load_tile(values, dy.row(c, p) + t * Form::kOutputs * kLanes, columns);
    to_points(points, kMatrices<Form>.output, values);
    store_points(m, c, p, t, points);
  });
}

// Tiles that have whole windows of two columns together.
template <class Form>
inline constexpr int kTilesOfWindows = 1 + Form::kOutputs % 2;

// The outputs of tiles in two rows, and the 2x2 max-pooling after them.
template <class Form, bool kWinners>
void winograd_pool_output_tiles(Tensor y, Winners winners, PointTensor m, const float* b,
                                bool rectify) {
  constexpr int kWindows = kTilesOfWindows<Form> * Form::kOutputs / 2;
  for (int c = 0; c < y.channels; ++c)
    for (int p = 0; p < y.height; ++p)
      for (int t = 0, first = 0; first < y.width; t += kTilesOfWindows<Form>, first += kWindows) {
        Vec rows[2][kTilesOfWindows<Form>][Form::kOutputs];
        for (int i = 0; i < 2; ++i)
          for (int s = 0; s < kTilesOfWindows<Form> && t + s < m.width; ++s) {
            Vec points[Form::kPoints];
            load_points(points, m, c, 2 * p + i, t + s);
            from_points(rows[i][s], kMatrices<Form>.output, points);
          }
        for (int q = 0; q < kWindows && first + q < y.width; ++q) {
          pool_window<kWinners>(y.row(c, p) + (first + q) * kLanes, winners, c,
                                (p * y.width + first + q) * kLanes, rows[0][0] + 2 * q,
                                rows[1][0] + 2 * q, b[c], rectify);
        }
      }
}

// And back: a row of windows' gradients at all points, which the winners' places have, in two rows.
// Calls f(row, tile, points).
template <class Form, class F>
inline void unpool_row(const float* dy, const uint16_t* winners, int windows, int tiles, F f) {
  constexpr int kWindows = kTilesOfWindows<Form> * Form::kOutputs / 2;
  for (int t = 0, first = 0; first < windows; t += kTilesOfWindows<Form>, first += kWindows) {
    Vec d[kWindows] = {};
    IntVec winner[kWindows] = {};
    for (int q = 0; q < kWindows && first + q < windows; ++q) {
      d[q] = load(dy + (first + q) * kLanes);
      winner[q] = load_shorts(winners + (first + q) * kLanes);
    }
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r)
      for (int s = 0; s < kTilesOfWindows<Form> && t + s < tiles; ++s) {
        Vec points[Form::kPoints], values[Form::kOutputs];
#pragma GCC unroll 5
        for (int j = 0; j < Form::kOutputs; ++j) {
          const int column = s * Form::kOutputs + j;
          values[j] = winner[column / 2] == 2 * r + column % 2 ? d[column / 2] : Vec{};
        }
        to_points(points, kMatrices<Form>.output, values);
        f(r, t + s, points);
      }
  }
}

template <class Form>
void winograd_pool_gradient_tiles(PointTensor m, Tensor dy, Winners winners) {
  for (int c = 0; c < dy.channels; ++c)
    for (int p = 0; p < dy.height; ++p)
      unpool_row<Form>(dy.row(c, p), winners.at(c, p * dy.width * kLanes), dy.width, m.width,
                       [=](int r, int t, const Vec(&points)[Form::kPoints]) {
                         store_points(m, c, 2 * p + r, t, points);
                       });
}

template <class Form>
void winograd_input_gradient_tiles(Tensor dx, PointTensor v) {
  for_each_winograd_tile<Form>(v, dx, [=](int c, int p, int t, int columns) {
    constexpr int kPoints = Form::kPoints;
    Vec points[kPoints], values[kPoints];
    load_points(points, v, c, p, t);
    from_points(values, kMatrices<Form>.input, points);
    float* at = dx.row(c, p) + t * Form::kOutputs * kLanes;
    for (int j = 0; j < kPoints && j < columns; ++j) {
      store(at + j * kLanes, load(at + j * kLanes) + values[j]);
    }
  });
}

}  // namespace digitron::DIGITRON_ISA
