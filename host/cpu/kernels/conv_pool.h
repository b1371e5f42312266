// Convolution and the 2x2 max-pooling after it in one: a tile of outputs is pooled in registers.
#pragma once

#include "host/cpu/kernels/elementwise.h"

namespace digitron::DIGITRON_ISA {

inline constexpr int kPoolChannels = kTileVectors / 4;

// One pooled output of Channels channels. y and winner: of the first, x: its window's corner, w:
// (Channels, C, K, K). Each of the window's four sums has the order of conv_forward's.
template <int Channels>
void conv_pool_tile(float* y, std::ptrdiff_t y_channel, uint16_t* winner,
                    std::ptrdiff_t winner_channel, Tensor x_tensor, const float* x, const float* w,
                    const float* b, Window window, bool rectify) {
  const std::ptrdiff_t w_channel = std::ptrdiff_t{x_tensor.channels} * window.rows * window.columns;
  Vec sum[Channels][4] = {};
  for (int c = 0; c < x_tensor.channels; ++c, x += x_tensor.channel_stride) {
    const float* row = x;
    for (int i = 0; i < window.rows; ++i, row += x_tensor.row_stride, w += window.columns) {
      const float* below = row + x_tensor.row_stride;
      for (int j = 0; j < window.columns; ++j) {
        const float* at = row + j * kLanes;
        const Vec value[4] = {load(at), load(at + kLanes), load(below + j * kLanes),
                              load(below + (j + 1) * kLanes)};
        for (int o = 0; o < Channels; ++o) {
          const Vec weight = broadcast(w[o * w_channel + j]);
          for (int t = 0; t < 4; ++t) sum[o][t] += weight * value[t];
        }
      }
    }
  }
#pragma GCC unroll 6
  for (int o = 0; o < Channels; ++o, y += y_channel, winner += winner_channel) {
    Largest best = {sum[o][0], {}};
    for (int t = 1; t < 4; ++t) best.compare(sum[o][t], t);
    store_shorts(winner, store_pooled(y, best, b[o], rectify));
  }
}

inline void conv_pool_rows(Tensor y, Winners winners, Tensor x, const float* w, const float* b,
                           Window window, bool rectify) {
  const std::ptrdiff_t w_channel = std::ptrdiff_t{x.channels} * window.rows * window.columns;
  for (int p = 0; p < y.height; ++p)
    for (int q = 0; q < y.width; ++q)
      for_each_tile(y.channels, kPoolChannels, [&](int o, int channels) {
        with_constant<kPoolChannels>(channels, [&](auto Channels) {
          conv_pool_tile<Channels.value>(
              y.row(o, p) + q * kLanes, y.channel_stride, winners.at(o, (p * y.width + q) * kLanes),
              winners.channel_stride, x, x.row(0, 2 * p) + 2 * q * kLanes, w + o * w_channel, b + o,
              window, rectify);
        });
      });
}

}  // namespace digitron::DIGITRON_ISA
