// Convolution of stride 1 by Winograd's minimal filtering F(4, K) along rows: four outputs side by
// side take K + 3 products where the definition takes 4 K, that is 8 for 20 with 5 taps.
//
//   y = A^T [ (G w) * (B^T x) ]      *: point by point; x: K + 3 inputs, w: K taps, y: 4 outputs
//
// (S. Winograd, Arithmetic complexity of computations, 1980; A. Lavin and S. Gray, Fast algorithms
// for convolutional neural networks, 2016.) The three transforms are linear and go along a row, so
// channels and kernel rows are summed between them, at each point by itself: G w there is a kernel
// of one column, and B^T x a tensor with a column for each four outputs. Backward, each transform
// is the transposed one. A sum's rounding error is 1.7 times that of the definition's, by
// experiment.
#pragma once

#include "host/cpu/kernels/elementwise.h"

namespace digitron::DIGITRON_ISA {

// The matrices, by Toom's and Cook's way: polynomials are multiplied by their values at points, of
// which the last is at infinity. Pairs p and -p share the even and the odd part of what they sum.
template <int kTaps>
struct Filtering {
  static constexpr int kPoints = winograd_points(kTaps);
  float input[kPoints][kPoints] = {};            // B^T
  float weights[kPoints][kTaps] = {};            // G
  float output[kPoints][kWinogradOutputs] = {};  // A

  constexpr Filtering() {
    constexpr double kAt[] = {0, 1, -1, 2, -2, 0.5, -0.5};
    constexpr int kFinite = kPoints - 1;
    for (int k = 0; k < kPoints; ++k) {
      double roots[kPoints] = {1};  // coefficients of the product of x - q over the other points q
      double value = 1;             // and what it is at this one
      for (int other = 0, degree = 0; other < kFinite; ++other) {
        if (other == k) continue;
        ++degree;
        for (int j = degree; j > 0; --j) roots[j] = roots[j - 1] - kAt[other] * roots[j];
        roots[0] *= -kAt[other];
        if (k < kFinite) value *= kAt[k] - kAt[other];
      }
      for (int j = 0; j < kPoints; ++j) input[k][j] = static_cast<float>(roots[j]);
      if (k == kFinite) continue;
      double power = 1;
      for (int j = 0; j < kTaps; ++j, power *= kAt[k]) {
        weights[k][j] = static_cast<float>(power / value);
      }
      power = 1;
      for (int j = 0; j < kWinogradOutputs; ++j, power *= kAt[k]) {
        output[k][j] = static_cast<float>(power);
      }
    }
    weights[kFinite][kTaps - 1] = output[kFinite][kWinogradOutputs - 1] = 1;
  }
};

template <int kTaps>
inline constexpr Filtering<kTaps> kFiltering{};

// Every second of `values` from kFirst on, times its coefficient; those that are 0 cost nothing.
template <int kFirst, int kCount>
inline Vec every_second(const float (&coefficients)[kCount], const Vec (&values)[kCount]) {
  Vec sum = {};
#pragma GCC unroll 8
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
  for (int k = 1; k < kPoints - 1; k += 2) {
    const Vec even = every_second<0>(matrix[k], from);
    const Vec odd = every_second<1>(matrix[k], from);
    to[k] = even + odd;
    to[k + 1] = even - odd;
  }
  to[0] = every_second<0>(matrix[0], from);
  to[kPoints - 1] = every_second<(kCount - 1) % 2>(matrix[kPoints - 1], from);
}

// And back: to[j] = the products of column j.
template <int kPoints, int kCount>
inline void from_points(Vec (&to)[kCount], const float (&matrix)[kPoints][kCount],
                        const Vec (&from)[kPoints]) {
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
    Vec sum = {};
    if (matrix[0][j] != 0.0f) sum += matrix[0][j] * from[0];
    if (matrix[kPoints - 1][j] != 0.0f) sum += matrix[kPoints - 1][j] * from[kPoints - 1];
#pragma GCC unroll 4
    for (int k = 1; k < kPoints - 1; k += 2) {
      const Vec pair = j % 2 == 0 ? from[k] + from[k + 1] : from[k] - from[k + 1];
      if (matrix[k][j] != 0.0f) sum += matrix[k][j] * pair;
    }
    to[j] = sum;
  }
}

// Calls f(channel, row, tile, columns of `tensor` from the tile's first on).
template <class F>
inline void for_each_winograd_tile(Tensor points, Tensor tensor, F f) {
  for (int c = 0; c < tensor.channels; ++c)
    for (int p = 0; p < tensor.height; ++p)
      for (int t = 0; t < points.width; ++t) f(c, p, t, tensor.width - t * kWinogradOutputs);
}

// What a tile has of a row, 0 where that has ended.
template <int kCount>
inline void load_tile(Vec (&to)[kCount], const float* from, int columns) {
  if (columns >= kCount) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) to[j] = load(from + j * kLanes);
  } else {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) to[j] = j < columns ? load(from + j * kLanes) : Vec{};
  }
}

template <int kPoints>
inline void store_points(PointTensor to, int channel, int row, int tile,
                         const Vec (&values)[kPoints]) {
  float* at = to.row(channel, row) + tile * kLanes;
#pragma GCC unroll 8
  for (int k = 0; k < kPoints; ++k) store(at + k * to.point_stride, values[k]);
}

template <int kPoints>
inline void load_points(Vec (&values)[kPoints], PointTensor from, int channel, int row, int tile) {
  const float* at = from.row(channel, row) + tile * kLanes;
#pragma GCC unroll 8
  for (int k = 0; k < kPoints; ++k) values[k] = load(at + k * from.point_stride);
}

template <int kTaps>
void winograd_input_tiles(PointTensor v, Tensor x) {
  for_each_winograd_tile(v, x, [=](int c, int p, int t, int columns) {
    constexpr int kPoints = winograd_points(kTaps);
    Vec values[kPoints], points[kPoints];
    load_tile(values, x.row(c, p) + t * kWinogradOutputs * kLanes, columns);
    to_points(points, kFiltering<kTaps>.input, values);
    store_points(v, c, p, t, points);
  });
}

template <int kTaps>
void winograd_output_tiles(Tensor y, PointTensor m, const float* b, bool rectify) {
  for_each_winograd_tile(m, y, [=](int c, int p, int t, int columns) {
    Vec points[winograd_points(kTaps)], values[kWinogradOutputs];
    load_points(points, m, c, p, t);
    from_points(values, kFiltering<kTaps>.output, points);
    float* at = y.row(c, p) + t * kWinogradOutputs * kLanes;
    for (int j = 0; j < kWinogradOutputs && j < columns; ++j) {
      const Vec value = b ? values[j] + b[c] : values[j];
      store(at + j * kLanes, rectify ? relu(value) : value);
    }
  });
}

template <int kTaps>
void winograd_output_gradient_tiles(PointTensor m, Tensor dy) {
  for_each_winograd_tile(m, dy, [=](int c, int p, int t, int columns) {
    Vec points[winograd_points(kTaps)], values[kWinogradOutputs];
    load_tile(values, dy.row(c, p) + t * kWinogradOutputs * kLanes, columns);
    to_points(points, kFiltering<kTaps>.output, values);
    store_points(m, c, p, t, points);
  });
}

// The outputs of a tile in two rows, and the 2x2 max-pooling after them.
template <int kTaps>
void winograd_pool_output_tiles(Tensor y, Winners winners, PointTensor m, const float* b,
                                bool rectify) {
  for (int c = 0; c < y.channels; ++c)
    for (int p = 0; p < y.height; ++p)
      for (int t = 0; t < m.width; ++t) {
        Vec points[winograd_points(kTaps)], upper[kWinogradOutputs], lower[kWinogradOutputs];
        load_points(points, m, c, 2 * p, t);
        from_points(upper, kFiltering<kTaps>.output, points);
        load_points(points, m, c, 2 * p + 1, t);
        from_points(lower, kFiltering<kTaps>.output, points);
        for (int q = 0; q < 2 && 2 * t + q < y.width; ++q) {
          Largest best = {upper[2 * q], {}};
          best.compare(upper[2 * q + 1], 1);
          best.compare(lower[2 * q], 2);
          best.compare(lower[2 * q + 1], 3);
          store_pooled(
              y.row(c, p) + (2 * t + q) * kLanes,
              winners.data + c * winners.channel_stride + (p * y.width + 2 * t + q) * kLanes, best,
              b[c], rectify);
        }
      }
}

// And back.
template <int kTaps>
void winograd_pool_gradient_tiles(PointTensor m, Tensor dy, Winners winners) {
  for (int c = 0; c < dy.channels; ++c)
    for (int p = 0; p < dy.height; ++p)
      for (int t = 0; t < m.width; ++t) {
        Vec d[2] = {};
        IntVec winner[2] = {};
        for (int q = 0; q < 2 && 2 * t + q < dy.width; ++q) {
          d[q] = load(dy.row(c, p) + (2 * t + q) * kLanes);
          winner[q] = load_shorts(winners.data + c * winners.channel_stride +
                                  (p * dy.width + 2 * t + q) * kLanes);
        }
        for (int i = 0; i < 2; ++i) {
          Vec points[winograd_points(kTaps)], values[kWinogradOutputs];
          for (int j = 0; j < kWinogradOutputs; ++j)
            values[j] = winner[j / 2] == 2 * i + j % 2 ? d[j / 2] : Vec{};
          to_points(points, kFiltering<kTaps>.output, values);
          store_points(m, c, 2 * p + i, t, points);
        }
      }
}

template <int kTaps>
void winograd_input_gradient_tiles(Tensor dx, PointTensor v) {
  for_each_winograd_tile(v, dx, [=](int c, int p, int t, int columns) {
    constexpr int kPoints = winograd_points(kTaps);
    Vec points[kPoints], values[kPoints];
    load_points(points, v, c, p, t);
    from_points(values, kFiltering<kTaps>.input, points);
    float* at = dx.row(c, p) + t * kWinogradOutputs * kLanes;
    for (int j = 0; j < kPoints && j < columns; ++j) {
      store(at + j * kLanes, load(at + j * kLanes) + values[j]);
    }
  });
}

// u (points, C, taps, O) and its counterpart for the way back, (points, O, taps, C), of w (O, C,
// taps, taps).
template <int kTaps>
void winograd_weights_rows(float* u, float* u_back, const float* w, int outputs, int inputs) {
  for (int k = 0; k < winograd_points(kTaps); ++k)
    for (int o = 0; o < outputs; ++o)
      for (int c = 0; c < inputs; ++c)
        for (int i = 0; i < kTaps; ++i) {
          const float* row = w + ((o * inputs + c) * kTaps + i) * kTaps;
          float sum = 0;
          for (int j = 0; j < kTaps; ++j) sum += kFiltering<kTaps>.weights[k][j] * row[j];
          u[((k * inputs + c) * kTaps + i) * outputs + o] = sum;
          u_back[((k * outputs + o) * kTaps + i) * inputs + c] = sum;
        }
}

template <int kTaps>
void winograd_weight_gradient_rows(float* dw, const float* du, std::ptrdiff_t point_stride,
                                   int rows) {
  for (int row = 0; row < rows; ++row, dw += kTaps) {
    for (int j = 0; j < kTaps; ++j) {
      float sum = 0;
      for (int k = 0; k < winograd_points(kTaps); ++k)
        sum += kFiltering<kTaps>.weights[k][j] * du[k * point_stride + row];
      dw[j] = sum;
    }
  }
}

}  // namespace digitron::DIGITRON_ISA
