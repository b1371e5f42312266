// The weights' gradients of a convolution by Winograd's filtering for few input channels, two rows
// of outputs at a time.
#pragma once

#include "host/cpu/kernels/conv.h"
#include "host/cpu/kernels/winograd_rows.h"

namespace digitron::DIGITRON_ISA {

// du_by_lane of Channels outputs += the sums over Rows rows of their gradients g (Channels, points,
// rows, tiles) and x. du: (points, O, C, taps) of the first, or, when it is the beginning, = them.
template <class Form, int Channels, int Rows>
void add_row_sums(float* du, std::ptrdiff_t point_stride, const float* g, const PointRows<Form>& x,
                  bool add) {
  constexpr int kTaps = Form::kTaps;
  const std::ptrdiff_t du_channel = std::ptrdiff_t{x.channels()} * kTaps * kLanes;
  const std::ptrdiff_t g_row = std::ptrdiff_t{x.tiles()} * kWidth;
  const int tiles = x.tiles();
  assume(tiles > 0);
  for (int k = 0; k < Form::kPoints; ++k)
    for (int c = 0; c < x.channels(); ++c) {
      float* at = du + k * point_stride + c * kTaps * kLanes;
      const float* value[kTaps + Rows - 1];
      for (int i = 0; i < kTaps + Rows - 1; ++i)
        value[i] = x.rows()[i] + c * x.channel_stride() + k * kWidth;
      const float* gradient[Channels];
      for (int o = 0; o < Channels; ++o)
        gradient[o] = g + (std::ptrdiff_t{o} * Form::kPoints + k) * Rows * g_row;
      Vec sum[Channels][kTaps];
      for (int o = 0; o < Channels; ++o)
        for (int i = 0; i < kTaps; ++i)
          sum[o][i] = add ? load(at + o * du_channel + i * kLanes) : Vec{};
      for (int t = 0; t < tiles; ++t) {
        Vec d[Rows][Channels];
        for (int o = 0; o < Channels; ++o)
          for (int r = 0; r < Rows; ++r) d[r][o] = load(gradient[o] + r * g_row + t * kWidth);
#pragma GCC unroll 6
        for (int i = 0; i < kTaps + Rows - 1; ++i) {
          const Vec v = load(value[i] + t * Form::kPoints * kWidth);
          for (int r = 0; r < Rows; ++r) {
            if (i - r < 0 || i - r >= kTaps) continue;
            for (int o = 0; o < Channels; ++o) sum[o][i - r] += d[r][o] * v;
          }
        }
      }
      for (int o = 0; o < Channels; ++o)
        for (int i = 0; i < kTaps; ++i) store(at + o * du_channel + i * kLanes, sum[o][i]);
    }
}

// For two rows of outputs at a time: make(g, point's stride, channel, first row, rows) makes the
// gradients of a channel's rows at all points.
template <class Form, class Make>
void winograd_rows_sums(float* du, std::ptrdiff_t point_stride, int outputs, int height,
                        PointRows<Form> x, float* g, Make make) {
  constexpr int kMost = weights_channels(Form::kTaps);
  static_assert(kMost <= kMostRowsOutputs);
  for (int p = 0; p < height; p += 2) {
    const int rows = p + 1 < height ? 2 : 1;
    const std::ptrdiff_t g_point = std::ptrdiff_t{rows} * x.tiles() * kWidth;
    x.make(p);
    for_each_tile(outputs, kMost, [&](int first, int channels) {
      for (int o = 0; o < channels; ++o)
        make(g + o * Form::kPoints * g_point, g_point, first + o, p, rows);
      with_constant<kMost>(channels, [&](auto Channels) {
        const auto add = rows == 2 ? add_row_sums<Form, Channels.value, 2>
                                   : add_row_sums<Form, Channels.value, 1>;
        add(du + std::ptrdiff_t{first} * x.channels() * Form::kTaps * kLanes, point_stride, g, x,
            p > 0);
      });
    });
  }
}

template <class Form>
void winograd_rows_weight_sums(float* du, std::ptrdiff_t point_stride, Tensor dy, PointRows<Form> x,
                               float* g) {
  winograd_rows_sums(du, point_stride, dy.channels, dy.height, x, g,
                     [&](float* to, std::ptrdiff_t next, int o, int p, int rows) {
                       for (int r = 0; r < rows; ++r)
                         for (int t = 0; t < x.tiles(); ++t, to += kWidth) {
                           Vec values[Form::kOutputs], points[Form::kPoints];
                           load_tile(values, dy.row(o, p + r) + t * Form::kOutputs * kLanes,
                                     dy.width - t * Form::kOutputs);
                           to_points(points, kMatrices<Form>.output, values);
#pragma GCC unroll 9
                           for (int k = 0; k < Form::kPoints; ++k) store(to + k * next, points[k]);
                         }
                     });
}

template <class Form>
void winograd_rows_pool_weight_sums(float* du, std::ptrdiff_t point_stride, Tensor dy,
                                    Winners winners, PointRows<Form> x, float* g) {
  const int tiles = x.tiles();
  winograd_rows_sums(du, point_stride, dy.channels, 2 * dy.height, x, g,
                     [=](float* to, std::ptrdiff_t next, int o, int p, int) {
                       unpool_row<Form>(dy.row(o, p / 2), winners.at(o, p / 2 * dy.width * kLanes),
                                        dy.width, tiles,
                                        [=](int r, int t, const Vec(&points)[Form::kPoints]) {
                                          float* at = to + (r * tiles + t) * kWidth;
#pragma GCC unroll 9
                                          for (int k = 0; k < Form::kPoints; ++k)
                                            store(at + k * next, points[k]);
                                        });
                     });
}

}  // namespace digitron::DIGITRON_ISA
