// Batch normalisation, one SIMD lane per sample. Lanes after a ragged block's last sample count in
// no statistic, and their gradients stay zero.
#pragma once

#include "host/cpu/kernels/elementwise.h"
#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

inline Tensor channel_of(Tensor tensor, int c) {
  tensor.data += c * tensor.channel_stride;
  tensor.channels = 1;
  return tensor;
}

// All ones in the lanes [lane, lane + kWidth) that are below `count`.
inline IntVec live_lanes(int lane, int count) {
  IntVec index;
  for (int i = 0; i < kWidth; ++i) index[i] = lane + i;
  return index < count;
}

// ---- statistics

// Calls f(vector, which of four accumulators) for every position of one channel, in one group of
// lanes.
template <class F>
inline void for_each_position(Tensor x, int lane, F f) {
  for (int p = 0; p < x.height; ++p) {
    const float* row = x.row(0, p) + lane;
    int q = 0;
    for (; q + 4 <= x.width; q += 4, row += 4 * kLanes) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) f(load(row + i * kLanes), i);
    }
    for (; q < x.width; ++q, row += kLanes) f(load(row), 0);
  }
}

inline void store_sum(float* lanes, const Vec (&sums)[4]) {
  store(lanes, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

inline double sum_live(const float* lanes, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(lanes[i]);
  return sum;
}

// In two passes, the second about the mean of the first, which it also corrects: a mean that is
// large beside the deviation costs no precision.
inline Moments moments_of(Tensor x, int count) {
  alignas(64) float lanes[kLanes];
  alignas(64) float square_lanes[kLanes];
  const double values = static_cast<double>(count) * x.height * x.width;
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    Vec sums[4] = {};
    for_each_position(x, lane, [&](Vec value, int i) { sums[i] += value; });
    store_sum(lanes + lane, sums);
  }
  const auto center = static_cast<float>(sum_live(lanes, count) / values);
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    Vec sums[4] = {};
    Vec squares[4] = {};
    for_each_position(x, lane, [&](Vec value, int i) {
      const Vec d = value - center;
      sums[i] += d;
      squares[i] += d * d;
    });
    store_sum(lanes + lane, sums);
    store_sum(square_lanes + lane, squares);
  }
  const double rest = sum_live(lanes, count);
  return {static_cast<double>(center) + rest / values,
          sum_live(square_lanes, count) - rest * rest / values};
}

inline void channel_moments(Moments* moments, Tensor x, int count) {
  for (int c = 0; c < x.channels; ++c) moments[c] = moments_of(channel_of(x, c), count);
}

// ---- forward

struct AffineVec {
  Vec center, scale, shift;

  AffineVec(Affine affine, int c)
      : center(broadcast(affine.center[c])),
        scale(broadcast(affine.scale[c])),
        shift(broadcast(affine.shift[c])) {}
  Vec operator()(Vec x) const { return (x - center) * scale + shift; }
};

inline void batchnorm_forward(Tensor y, Tensor x, Affine affine, bool rectify) {
  for (int c = 0; c < y.channels; ++c) {
    const AffineVec map(affine, c);
    for_each_vector(channel_of(y, c), channel_of(x, c), [=](float* to, const float* from) {
      const Vec value = map(load(from));
      store(to, rectify ? relu(value) : value);
    });
  }
}

// The element of a window that a normalisation with a weight of this sign makes the largest: sought
// before it normalises, which keeps the order of the values, or turns it round where the weight is
// negative, but whose rounding could make different ones equal.
template <int Size>
inline Largest taken_of(const float* corner, std::ptrdiff_t row_stride, int size, Vec sign) {
  Largest best = {load(corner), {}};
  for_each_in_window<Size>(corner, row_stride, size, [&](int t, const float* at) {
    const Vec value = load(at);
    const IntVec better = value * sign > best.value * sign;
    best.value = better ? value : best.value;
    best.index = better ? IntVec{} + t : best.index;
  });
  return best;
}

inline Vec sign_of(float weight) {
  return broadcast(weight > 0 ? 1.0f : (weight < 0 ? -1.0f : 0.0f));
}

template <int Size>
void batchnorm_pool_take_sized(Tensor taken, Tensor x, const float* weights, Window window) {
  const int size = Size ? Size : window.rows;
  for (int c = 0; c < taken.channels; ++c) {
    const Vec sign = sign_of(weights[c]);
    for (int p = 0; p < taken.height; ++p) {
      const float* from = x.row(c, p * size);
      for (int i = 0; i < taken.width; ++i, from += size * kLanes)
        for (int lane = 0; lane < kLanes; lane += kWidth)
          store(taken.row(c, p) + i * kLanes + lane,
                taken_of<Size>(from + lane, x.row_stride, size, sign).value);
    }
  }
}

inline void batchnorm_pool_take(Tensor taken, Tensor x, const float* weights, Window window) {
  const auto sized = window.rows == 2 ? batchnorm_pool_take_sized<2> : batchnorm_pool_take_sized<0>;
  sized(taken, x, weights, window);
}

// ---- backward

inline void batchnorm_sums(float* dw_by_lane, float* db_by_lane, Tensor dy, Tensor x,
                           const float* center) {
  for (int c = 0; c < x.channels; ++c)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      Vec dw[2] = {};
      Vec db[2] = {};
      for (int p = 0; p < x.height; ++p) {
        const float* dy_row = dy.row(c, p) + lane;
        const float* x_row = x.row(c, p) + lane;
        for (int q = 0; q < x.width; ++q) {
          const Vec d = load(dy_row + q * kLanes);
          db[q & 1] += d;
          dw[q & 1] += d * (load(x_row + q * kLanes) - center[c]);
        }
      }
      store(dw_by_lane + c * kLanes + lane, dw[0] + dw[1]);
      store(db_by_lane + c * kLanes + lane, db[0] + db[1]);
    }
}

struct GradientVec {
  Vec center, scale, slope, offset;
  IntVec live;
  bool rectify;

  GradientVec(AffineGradient g, int c, int lane, int count, bool through_relu)
      : center(broadcast(g.center[c])),
        scale(broadcast(g.scale[c])),
        slope(broadcast(g.slope[c])),
        offset(broadcast(g.offset[c])),
        live(live_lanes(lane, count)),
        rectify(through_relu) {}
  Vec operator()(Vec dy, Vec x) const {
    const Vec dx = scale * dy + ((x - center) * slope + offset);
    const IntVec kept = rectify ? live & (x > 0.0f) : live;
    return kept ? dx : Vec{};
  }
};

inline void batchnorm_backward(Tensor dx, Tensor dy, Tensor x, AffineGradient gradient, int count,
                               bool through_relu) {
  for (int c = 0; c < dx.channels; ++c)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const GradientVec map(gradient, c, lane, count, through_relu);
      for (int p = 0; p < dx.height; ++p)
        for (int i = lane; i < dx.width * kLanes; i += kLanes)
          store(dx.row(c, p) + i, map(load(dy.row(c, p) + i), load(x.row(c, p) + i)));
    }
}

// Elements [first, last) of a row that no window covers.
inline void outside_windows(float* dx, const float* x, int first, int last,
                            const GradientVec& map) {
  for (int q = first; q < last; ++q) store(dx + q * kLanes, map(Vec{}, load(x + q * kLanes)));
}

// A row of windows; dx and x: their first row, of `width` columns.
template <int Size>
void batchnorm_pool_backward_row(float* dx, std::ptrdiff_t dx_row, const float* dy, const float* x,
                                 std::ptrdiff_t x_row, int windows, int width, int size, Vec sign,
                                 const GradientVec& map) {
  const int step = size * kLanes;
  for (int q = 0; q < windows; ++q) {
    const float* corner = x + q * step;
    const Vec d = load(dy + q * kLanes);
    const IntVec winner = taken_of<Size>(corner, x_row, size, sign).index;
    for_each_in_window<Size>(corner, x_row, size, [&](int t, const float* at) {
      float* to = dx + q * step + t / size * dx_row + t % size * kLanes;
      store(to, map(winner == t ? d : Vec{}, load(at)));
    });
  }
  for (int i = 0; i < size; ++i)
    outside_windows(dx + i * dx_row, x + i * x_row, windows * size, width, map);
}

template <int Size>
void batchnorm_pool_backward_sized(Tensor dx, Tensor dy, Tensor x, const float* weights,
                                   AffineGradient gradient, Window window, int count,
                                   bool through_relu) {
  const int size = Size ? Size : window.rows;
  for (int c = 0; c < dx.channels; ++c)
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const GradientVec map(gradient, c, lane, count, through_relu);
      for (int p = 0; p < dy.height; ++p)
        batchnorm_pool_backward_row<Size>(dx.row(c, p * size) + lane, dx.row_stride,
                                          dy.row(c, p) + lane, x.row(c, p * size) + lane,
                                          x.row_stride, dy.width, dx.width, size,
                                          sign_of(weights[c]), map);
      for (int p = dy.height * size; p < dx.height; ++p)
        outside_windows(dx.row(c, p) + lane, x.row(c, p) + lane, 0, dx.width, map);
    }
}

inline void batchnorm_pool_backward(Tensor dx, Tensor dy, Tensor x, const float* weights,
                                    AffineGradient gradient, Window window, int count,
                                    bool through_relu) {
  const auto sized =
      window.rows == 2 ? batchnorm_pool_backward_sized<2> : batchnorm_pool_backward_sized<0>;
  sized(dx, dy, x, weights, gradient, window, count, through_relu);
}

}  // namespace digitron::DIGITRON_ISA
