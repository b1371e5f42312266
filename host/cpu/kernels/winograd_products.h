// What is between the transforms of Winograd's filtering, at one of its points: a convolution whose
// kernels have one column.
#pragma once

#include "host/cpu/kernels/conv.h"

namespace digitron::DIGITRON_ISA {

// Channels x Columns sums over x_tensor's channels and `taps` of its rows, x_row apart from x on.
// w: the first of y's channels, which lie side by side, in y_channels a tap; w_next from a channel
// of x to the next.
template <int Channels, int Columns, int kTaps>
void winograd_tile(float* y, std::ptrdiff_t y_channel, Tensor x_tensor, const float* x,
                   std::ptrdiff_t x_row, const float* w, int y_channels, std::ptrdiff_t w_next,
                   int taps) {
  Vec sum[Channels][Columns];
  for (int o = 0; o < Channels; ++o)
    for (int q = 0; q < Columns; ++q) sum[o][q] = Vec{};
  assume(x_tensor.channels > 0 && taps > 0);
  for (int c = 0; c < x_tensor.channels; ++c, w += w_next, x += x_tensor.channel_stride) {
    const float* row = x;
    const float* weights = w;
#pragma GCC unroll 1
    for (int i = 0; i < (kTaps ? kTaps : taps); ++i, row += x_row, weights += y_channels) {
      Vec value[Columns];
      for (int q = 0; q < Columns; ++q) value[q] = load(row + q * kLanes);
      for (int o = 0; o < Channels; ++o) {
        const Vec weight = broadcast(weights[o]);
        for (int q = 0; q < Columns; ++q) sum[o][q] += weight * value[q];
      }
    }
  }
  for (int o = 0; o < Channels; ++o)
    for (int q = 0; q < Columns; ++q) store(y + o * y_channel + q * kLanes, sum[o][q]);
}

// In a tile's time, some 300 cycles, memory answers about as many.
inline constexpr int kAskedATile = 16;

inline void ask(Ahead& ahead) {
  for (int n = 0; n < kAskedATile && ahead.lines > 0; ++n, --ahead.lines, ahead.data += kLineFloats)
    __builtin_prefetch(ahead.data, 0, 2);
}

// `count` columns of y, which may go on over rows, from taps of x; six channels of four columns at
// a time, where channels come in sixes, are as many sums as there are registers for. u:
// (x.channels, all taps, y_channels) of y's first channel.
template <int kTaps>
void winograd_columns(float* y, Tensor y_tensor, int count, Tensor x_tensor, const float* x,
                      std::ptrdiff_t x_row, const float* u, int y_channels, int all_taps, int taps,
                      Ahead& ahead) {
  const int most = kWidth < 16 ? kForwardColumns : y_tensor.channels % 6 == 0 ? 4 : 6;
  for_each_tile(count, most, [&](int q, int columns) {
    with_constant<kForwardColumns>(columns, [&](auto Columns) {
      constexpr int kMost = forward_channels(Columns.value);
      for_each_tile(y_tensor.channels, kMost, [&](int o, int channels) {
        ask(ahead);
        with_constant<kMost>(channels, [&](auto Channels) {
          winograd_tile<Channels.value, Columns.value, kTaps>(
              y + o * y_tensor.channel_stride + q * kLanes, y_tensor.channel_stride, x_tensor,
              x + q * kLanes, x_row, u + o, y_channels, std::ptrdiff_t{all_taps} * y_channels,
              taps);
        });
      });
    });
  });
}

// Kernel row i meets row p + i of x for row p of y; rows follow each other in both.
template <int kTaps>
void winograd_forward(Tensor y, Tensor x, const float* u, int y_channels, Ahead& ahead) {
  winograd_columns<kTaps>(y.data, y, y.height * y.width, x, x.data, x.row_stride, u, y_channels,
                          kTaps, kTaps, ahead);
}

// The first kTaps - 1 rows of y, or the last, which meet some of the taps: a triangle of rows of x
// by rows of y. x: its first row that takes part; u: of y's first channel.
template <int Channels, int Columns, int kTaps, bool kLast>
void winograd_edge_tile(float* y, Tensor y_tensor, Tensor x_tensor, const float* x, const float* u,
                        int y_channels) {
  constexpr int kRows = kTaps - 1;
  Vec sum[kRows][Channels][Columns];
  for (auto& row : sum)
    for (auto& channel : row)
      for (Vec& column : channel) column = Vec{};
  assume(x_tensor.channels > 0);
  for (int c = 0; c < x_tensor.channels; ++c, u += kTaps * y_channels, x += x_tensor.channel_stride)
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Vec value[Columns];
      for (int q = 0; q < Columns; ++q) value[q] = load(x + r * x_tensor.row_stride + q * kLanes);
      const int first = kLast ? 0 : r;
      const int last = kLast ? r + 1 : kRows;
#pragma GCC unroll 4
      for (int p = first; p < last; ++p)
        for (int o = 0; o < Channels; ++o) {
          const Vec weight = broadcast(u[(kLast ? p + kRows - r : p - r) * y_channels + o]);
          for (int q = 0; q < Columns; ++q) sum[p][o][q] += weight * value[q];
        }
    }
  for (int p = 0; p < kRows; ++p)
    for (int o = 0; o < Channels; ++o)
      for (int q = 0; q < Columns; ++q)
        store(y + o * y_tensor.channel_stride + p * y_tensor.row_stride + q * kLanes, sum[p][o][q]);
}

template <int kTaps, bool kLast>
void winograd_edge(Tensor y, Tensor x, const float* u, int y_channels, Ahead& ahead) {
  constexpr int kMost = 3;
  constexpr int kColumns = kTileVectors / (kMost * (kTaps - 1));
  const int y_row = kLast ? x.height : 0;
  const int x_row = kLast ? x.height - kTaps + 1 : 0;
  for_each_tile(y.width, kColumns, [&](int q, int columns) {
    with_constant<kColumns>(columns, [&](auto Columns) {
      for_each_tile(y.channels, kMost, [&](int o, int channels) {
        ask(ahead);
        with_constant<kMost>(channels, [&](auto Channels) {
          winograd_edge_tile<Channels.value, Columns.value, kTaps, kLast>(
              y.row(o, y_row) + q * kLanes, y, x, x.row(0, x_row) + q * kLanes, u + o, y_channels);
        });
      });
    });
  });
}

// Kernel row i meets row p - i of x; those that x does not have are 0.
template <int kTaps>
void winograd_back(Tensor y, Tensor x, const float* u, int y_channels, Ahead& ahead) {
  const auto rows = [&](int p, int count, int begin, int end, auto Taps) {
    winograd_columns<Taps.value>(y.row(0, p), y, count * y.width, x, x.row(0, p - begin),
                                 -x.row_stride, u + begin * y_channels, y_channels, kTaps,
                                 end - begin, ahead);
  };
  if (x.height < kTaps) {
    for (int p = 0; p < y.height; ++p) {
      const int begin = p < x.height ? 0 : p - x.height + 1;
      rows(p, 1, begin, p + 1 < kTaps ? p + 1 : kTaps, Constant<0>());
    }
    return;
  }
  winograd_edge<kTaps, false>(y, x, u, y_channels, ahead);
  rows(kTaps - 1, x.height - kTaps + 1, 0, kTaps, Constant<kTaps>());
  winograd_edge<kTaps, true>(y, x, u, y_channels, ahead);
}

// du_by_lane (O, C, kTaps) of some outputs.
template <int kTaps>
void winograd_weight_sums(float* du, Tensor m, Tensor v, Ahead& ahead) {
  constexpr int kMost = weights_channels(kTaps);
  const std::ptrdiff_t du_channel = std::ptrdiff_t{v.channels} * kTaps * kLanes;
  const Tensor row = {m.data, m.channels, 1, m.height * m.width, 0, m.channel_stride};
  for_each_tile(m.channels, kMost, [&](int o, int channels) {
    with_constant<kMost>(channels, [&](auto Channels) {
      for (int c = 0; c < v.channels; ++c) {
        ask(ahead);
        conv_weights_tile<Channels.value, kTaps>(du + o * du_channel + c * kTaps * kLanes,
                                                 du_channel, row, m.row(o, 0), v, v.row(c, 0),
                                                 v.row_stride, 1, false);
      }
    });
  });
}

}  // namespace digitron::DIGITRON_ISA
