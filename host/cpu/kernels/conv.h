// Convolution, one SIMD lane per sample. A tile of outputs stays in registers while the loops run
// over what is summed; tiles are sized so that loads cost less than multiply-adds.
#pragma once

#include "host/cpu/kernels/vector.h"

namespace digitron::DIGITRON_ISA {

// ---- forward

inline constexpr int kForwardColumns = kWidth == 16 ? 7 : 4;

constexpr int forward_channels(int columns) {
  return kTileVectors / columns < 8 ? kTileVectors / columns : 8;
}

// Channels x Columns outputs of one row. y: first output, x: its window's corner, w: (Channels, C,
// K, K). Stride 0 means that the window's stride is read at run time.
template <int Channels, int Columns, int Stride>
void conv_forward_tile(float* y, std::ptrdiff_t y_channel, Tensor x_tensor, const float* x,
                       const float* w, const float* b, Window window, bool rectify) {
  const std::ptrdiff_t w_channel = std::ptrdiff_t{x_tensor.channels} * window.rows * window.columns;
  const int step = (Stride ? Stride : window.stride) * kLanes;
  Vec sum[Channels][Columns];
  for (int o = 0; o < Channels; ++o)
    for (int q = 0; q < Columns; ++q) sum[o][q] = b ? broadcast(b[o]) : Vec{};
  for (int c = 0; c < x_tensor.channels; ++c) {
    for (int i = 0; i < window.rows; ++i, w += window.columns) {
      const float* row = x + c * x_tensor.channel_stride + i * x_tensor.row_stride;
      for (int j = 0; j < window.columns; ++j) {
        Vec weight[Channels];
        for (int o = 0; o < Channels; ++o) weight[o] = broadcast(w[o * w_channel + j]);
        for (int q = 0; q < Columns; ++q) {
          const Vec value = load(row + j * kLanes + q * step);
          for (int o = 0; o < Channels; ++o) sum[o][q] += weight[o] * value;
        }
      }
    }
  }
  for (int o = 0; o < Channels; ++o)
    for (int q = 0; q < Columns; ++q)
      store(y + o * y_channel + q * kLanes, rectify ? relu(sum[o][q]) : sum[o][q]);
}

template <int Stride>
void conv_forward_rows(Tensor y, Tensor x, const float* w, const float* b, Window window, int first,
                       bool rectify) {
  const std::ptrdiff_t w_channel = std::ptrdiff_t{x.channels} * window.rows * window.columns;
  for (int p = 0; p < y.height; ++p) {
    const float* x_row = x.data + (first + p) * window.stride * x.row_stride;
    for_each_tile(y.width, kForwardColumns, [&](int q, int columns) {
      with_constant<kForwardColumns>(columns, [&](auto Columns) {
        constexpr int kMost = forward_channels(Columns.value);
        for_each_tile(y.channels, kMost, [&](int o, int channels) {
          with_constant<kMost>(channels, [&](auto Channels) {
            conv_forward_tile<Channels.value, Columns.value, Stride>(
                y.row(o, p) + q * kLanes, y.channel_stride, x, x_row + q * window.stride * kLanes,
                w + o * w_channel, b ? b + o : b, window, rectify);
          });
        });
      });
    });
  }
}

// ---- backward

// Splits a kernel's row into pieces of 5, 3 and 1 taps, those that are compiled; calls f(first,
// Constant). With a stride only single taps meet the next output's.
template <class F>
void for_each_piece(Window window, F f) {
  int j = 0;
  if (window.stride == 1) {
    for (; window.columns - j >= 5; j += 5) f(j, Constant<5>{});
    for (; window.columns - j >= 3; j += 3) f(j, Constant<3>{});
  }
  for (; j < window.columns; ++j) f(j, Constant<1>{});
}

constexpr int weights_channels(int taps) {
  return taps == 1 ? 8 : (kTileVectors - 2) / taps;
}

// dw_by_lane (Channels of stride dw_channel, Taps) = or += sums over dy's rows and columns. x: the
// element that the first output meets with the first tap; `tap` floats on is what it meets with the
// next one.
template <int Channels, int Taps>
void conv_weights_tile(float* dw, std::ptrdiff_t dw_channel, Tensor dy_tensor, const float* dy,
                       Tensor x_tensor, const float* x, std::ptrdiff_t tap, int stride, bool add) {
  const int step = (Taps > 1 ? 1 : stride) * kLanes;
  Vec sum[Channels][Taps];
  for (int o = 0; o < Channels; ++o)
    for (int j = 0; j < Taps; ++j) sum[o][j] = Vec{};
  assume(dy_tensor.height > 0 && dy_tensor.width > 0);
  for (int p = 0; p < dy_tensor.height; ++p) {
    const float* dy_row = dy + p * dy_tensor.row_stride;
    const float* x_row = x + p * stride * x_tensor.row_stride;
    for (int q = 0; q < dy_tensor.width; ++q, dy_row += kLanes, x_row += step) {
      Vec d[Channels];
      for (int o = 0; o < Channels; ++o) d[o] = load(dy_row + o * dy_tensor.channel_stride);
      for (int j = 0; j < Taps; ++j) {
        const Vec value = load(x_row + j * tap);
        for (int o = 0; o < Channels; ++o) sum[o][j] += d[o] * value;
      }
    }
  }
  for (int o = 0; o < Channels; ++o)
    for (int j = 0; j < Taps; ++j) {
      float* at = dw + o * dw_channel + j * kLanes;
      store(at, add ? load(at) + sum[o][j] : sum[o][j]);
    }
}

inline void conv_weights(float* dw_by_lane, Tensor dy, Tensor x, Window window, int first,
                         bool add) {
  const std::ptrdiff_t dw_channel =
      std::ptrdiff_t{x.channels} * window.rows * window.columns * kLanes;
  for_each_piece(window, [&](int j, auto Taps) {
    constexpr int kMost = weights_channels(Taps.value);
    for_each_tile(dy.channels, kMost, [&](int o, int channels) {
      with_constant<kMost>(channels, [&](auto Channels) {
        for (int c = 0; c < x.channels; ++c)
          for (int i = 0; i < window.rows; ++i)
            conv_weights_tile<Channels.value, Taps.value>(
                dw_by_lane + o * dw_channel + ((c * window.rows + i) * window.columns + j) * kLanes,
                dw_channel, dy, dy.row(o, 0), x, x.row(c, first * window.stride + i) + j * kLanes,
                kLanes, window.stride, add);
      });
    });
  });
}

inline constexpr int kInputColumns = kWidth == 16 ? 10 : 4;

// The kernel rows that carry outputs to one row of dx: `count` of them from `first`, a stride
// apart. The first meets dy's row `dy_row`, each next one the row above.
struct KernelRows {
  int first;
  int count;
  int dy_row;
};

inline KernelRows kernel_rows(int dx_row, Window window, int first, int dy_height) {
  const int above = dx_row - (first + dy_height - 1) * window.stride;
  const int i = above > 0 ? above : dx_row % window.stride;
  const int below = dx_row - first * window.stride;
  const int last = below < window.rows - 1 ? below : window.rows - 1;
  if (last < i) return {i, 0, 0};
  return {i, (last - i) / window.stride + 1, (dx_row - i) / window.stride - first};
}

// One row of dx for one channel: dx += products of Columns outputs and Taps taps in `rows`. dy: the
// first output in row rows.dy_row of channel 0; w: the channel's first tap in kernel row
// rows.first.
template <int Taps, int Columns>
void conv_input_tile(float* dx, Tensor dy_tensor, const float* dy, const float* w,
                     std::ptrdiff_t w_stride, Window window, const KernelRows& rows) {
  const int step = (Taps > 1 ? 1 : window.stride) * kLanes;
  Vec sum[Columns + Taps - 1];
  for (int q = 0; q < Columns + Taps - 1; ++q) sum[q] = load(dx + q * step);
  for (int o = 0; o < dy_tensor.channels; ++o, w += w_stride, dy += dy_tensor.channel_stride) {
    const float* dy_row = dy;
    const float* w_row = w;
    for (int i = 0; i < rows.count; ++i) {
      Vec d[Columns];
      for (int q = 0; q < Columns; ++q) d[q] = load(dy_row + q * kLanes);
      for (int j = 0; j < Taps; ++j) {
        const Vec weight = broadcast(w_row[j]);
        for (int q = 0; q < Columns; ++q) sum[q + j] += weight * d[q];
      }
      dy_row -= dy_tensor.row_stride;
      w_row += window.stride * window.columns;
    }
  }
  for (int q = 0; q < Columns + Taps - 1; ++q) store(dx + q * step, sum[q]);
}

inline void conv_input(Tensor dx, Tensor dy, const float* w, std::ptrdiff_t w_stride, Window window,
                       int first) {
  const int end = (first + dy.height - 1) * window.stride + window.rows;
  for (int r = first * window.stride; r < end; ++r) {
    const KernelRows rows = kernel_rows(r, window, first, dy.height);
    if (rows.count == 0) continue;
    for_each_piece(window, [&](int j, auto Taps) {
      for_each_tile(dy.width, kInputColumns, [&](int q, int columns) {
        with_constant<kInputColumns>(columns, [&](auto Columns) {
          for (int c = 0; c < dx.channels; ++c)
            conv_input_tile<Taps.value, Columns.value>(
                dx.row(c, r) + (q * window.stride + j) * kLanes, dy,
                dy.row(0, rows.dy_row) + q * kLanes,
                w + (c * window.rows + rows.first) * window.columns + j, w_stride, window, rows);
        });
      });
    });
  }
}

}  // namespace digitron::DIGITRON_ISA
