// Convolution by Winograd's filtering for few input channels. Sums at points are so short then that
// to store them costs more than to make them, so they stay in registers, for a tile of two rows of
// outputs, until they are outputs. The input's rows at all points are made as they are needed, and
// stay in L1.
#pragma once

#include "host/cpu/kernels/winograd.h"

namespace digitron::DIGITRON_ISA {

// As many transformed rows of x as two rows of outputs take, the last ones made, in memory of
// (rows, channels, tiles, points) vectors.
template <class Form>
class PointRows {
 public:
  static constexpr int kRows = Form::kTaps + 1;

  PointRows(float* memory, Tensor x, int tiles) : memory_(memory), x_(x), tile_count_(tiles) {}

  // Until rows [first, first + kRows) are there, as far as x goes; row i is at rows()[i - first].
  void make(int first) {
    const int last = first + kRows < x_.height ? first + kRows : x_.height;
    for (; made_ < last; ++made_) make_row();
    for (int i = 0; i < kRows; ++i) rows_[i] = row(first + i);
  }
  const float* const* rows() const { return rows_; }
  std::ptrdiff_t floats() const { return kRows * x_.channels * channel_stride(); }
  int channels() const { return x_.channels; }
  int tiles() const { return tile_count_; }
  std::ptrdiff_t channel_stride() const {
    return std::ptrdiff_t{tile_count_} * Form::kPoints * kWidth;
  }

 private:
  float* row(int i) const { return memory_ + i % kRows * x_.channels * channel_stride(); }

  void make_row() {
    float* to = row(made_);
    for (int c = 0; c < x_.channels; ++c)
      for (int t = 0; t < tile_count_; ++t, to += Form::kPoints * kWidth) {
        Vec values[Form::kPoints], points[Form::kPoints];
        load_tile(values, x_.row(c, made_) + t * Form::kOutputs * kLanes,
                  x_.width - t * Form::kOutputs);
        to_points(points, kMatrices<Form>.input, values);
#pragma GCC unroll 9
        for (int k = 0; k < Form::kPoints; ++k) store(to + k * kWidth, points[k]);
      }
  }

  float* memory_;
  Tensor x_;
  int tile_count_;
  int made_ = 0;
  const float* rows_[kRows];
};

// Pairs of points whose sums are in registers at once: those p and -p, and last 0 with infinity.
template <class Form>
inline constexpr int kPairsAtOnce = kWidth < 16        ? 1
                                    : Form::kTaps == 5 ? 2
                                                       : 3;
template <class Form>
inline constexpr int kRowsChannels = kTileVectors / (4 * kPairsAtOnce<Form>);

// Of the two of a pair.
template <class Form>
constexpr int point_of(int pair, int which) {
  if (pair < Form::kPoints / 2 - 1) return 1 + 2 * pair + which;
  return which * (Form::kPoints - 1);
}

template <class Form, int Channels, int Rows>
struct RowsTile {
  Vec outputs[Channels][Rows][Form::kOutputs];
};

// A tile's sums at some pairs of points, over the input's channels and the taps.
template <class Form, int Channels, int Rows>
using PairSums = Vec[kPairsAtOnce<Form>][2][Channels][Rows];

// At the pairs from kPair on. x: the tile's points in each row, from the first channel on; u:
// (Channels, C, taps, points).
template <class Form, int Channels, int Rows, int kPair>
[[gnu::always_inline]] inline void sum_pairs(PairSums<Form, Channels, Rows>& sum,
                                             const float* const* x, int channels,
                                             std::ptrdiff_t x_channel, const float* u) {
  const float* weights[Channels];
  for (int o = 0; o < Channels; ++o) {
    weights[o] = u + o * std::ptrdiff_t{channels} * Form::kTaps * Form::kPoints;
  }
  assume(channels > 0);
  for (int c = 0; c < channels; ++c) {
#pragma GCC unroll 1
    for (int i = 0; i < Form::kTaps; ++i) {
      const float* rows[Rows];
      for (int r = 0; r < Rows; ++r) rows[r] = x[r + i] + c * x_channel;
#pragma GCC unroll 3
      for (int n = 0; n < kPairsAtOnce<Form>; ++n)
#pragma GCC unroll 2
        for (int which = 0; which < 2; ++which) {
          const int k = point_of<Form>(kPair + n, which);
          Vec value[Rows];
          for (int r = 0; r < Rows; ++r) value[r] = load(rows[r] + k * kWidth);
          for (int o = 0; o < Channels; ++o) {
            const Vec weight = broadcast(weights[o][k]);
            for (int r = 0; r < Rows; ++r) sum[n][which][o][r] += weight * value[r];
          }
        }
      for (int o = 0; o < Channels; ++o) weights[o] += Form::kPoints;
    }
  }
}

// What the sums a and b at a pair of points add to a tile's outputs in a row.
template <class Form, int kPair>
inline void add_pair(Vec (&outputs)[Form::kOutputs], Vec a, Vec b) {
  if constexpr (kPair == Form::kPoints / 2 - 1) {
    outputs[0] += a;
    outputs[Form::kOutputs - 1] += b;
  } else {
    const Vec even = a + b, odd = a - b;
#pragma GCC unroll 5
    for (int j = 0; j < Form::kOutputs; ++j)
      outputs[j] += kMatrices<Form>.output[point_of<Form>(kPair, 0)][j] * (j % 2 == 0 ? even : odd);
  }
}

// A tile's outputs from the pairs from kPair on, added to those from the pairs before.
template <class Form, int Channels, int Rows, int kPair = 0>
[[gnu::always_inline]] inline void make_tile(RowsTile<Form, Channels, Rows>& tile,
                                             const float* const* x, int channels,
                                             std::ptrdiff_t x_channel, const float* u) {
  constexpr int kPairs = kPairsAtOnce<Form>;
  PairSums<Form, Channels, Rows> sum = {};
  sum_pairs<Form, Channels, Rows, kPair>(sum, x, channels, x_channel, u);
#pragma GCC unroll 3
  for (int o = 0; o < Channels; ++o)
#pragma GCC unroll 2
    for (int r = 0; r < Rows; ++r) {
      Vec outputs[Form::kOutputs] = {};
      add_pair<Form, kPair>(outputs, sum[0][0][o][r], sum[0][1][o][r]);
      if constexpr (kPairs > 1) {
        add_pair<Form, kPair + 1>(outputs, sum[1][0][o][r], sum[1][1][o][r]);
      }
      if constexpr (kPairs > 2) {
        add_pair<Form, kPair + 2>(outputs, sum[2][0][o][r], sum[2][1][o][r]);
      }
#pragma GCC unroll 5
      for (int j = 0; j < Form::kOutputs; ++j)
        tile.outputs[o][r][j] = kPair == 0 ? outputs[j] : tile.outputs[o][r][j] + outputs[j];
    }
  if constexpr (kPair + kPairs < Form::kPoints / 2) {
    make_tile<Form, Channels, Rows, kPair + kPairs>(tile, x, channels, x_channel, u);
  }
}

// Calls f(RowsTile, first channel, tile) for all tiles of Rows rows of outputs.
template <class Form, int Rows, class F>
inline void for_each_rows_tile(const PointRows<Form>& x, const float* u, int outputs, F f) {
  const std::ptrdiff_t u_channel = std::ptrdiff_t{x.channels()} * Form::kTaps * Form::kPoints;
  for (int t = 0; t < x.tiles(); ++t) {
    const float* rows[PointRows<Form>::kRows];
    for (int i = 0; i < PointRows<Form>::kRows; ++i)
      rows[i] = x.rows()[i] + t * Form::kPoints * kWidth;
    for_each_tile(outputs, kRowsChannels<Form>, [&](int o, int channels) {
      with_constant<kRowsChannels<Form>>(channels, [&](auto Channels) {
        RowsTile<Form, Channels.value, Rows> tile;
        make_tile<Form, Channels.value, Rows>(tile, rows, x.channels(), x.channel_stride(),
                                              u + o * u_channel);
        f(tile, o, t);
      });
    });
  }
}

template <class Form, int Rows>
void winograd_output_rows(Tensor y, int p, const PointRows<Form>& x, const float* u, const float* b,
                          bool rectify) {
  for_each_rows_tile<Form, Rows>(
      x, u, y.channels,
      [&]<int kChannels>(const RowsTile<Form, kChannels, Rows>& tile, int o, int t) {
        const int columns = y.width - t * Form::kOutputs;
#pragma GCC unroll 3
        for (int c = 0; c < kChannels; ++c) {
          const Vec bias = b ? broadcast(b[o + c]) : Vec{};
#pragma GCC unroll 2
          for (int r = 0; r < Rows; ++r) {
            float* at = y.row(o + c, p + r) + t * Form::kOutputs * kLanes;
#pragma GCC unroll 5
            for (int j = 0; j < Form::kOutputs; ++j) {
              if (j >= columns) break;
              const Vec value = tile.outputs[c][r][j] + bias;
              store(at + j * kLanes, rectify ? relu(value) : value);
            }
          }
        }
      });
}

template <class Form>
void winograd_rows(Tensor y, PointRows<Form> x, const float* u, const float* b, bool rectify) {
  for (int p = 0; p < y.height; p += 2) {
    x.make(p);
    if (p + 1 < y.height) {
      winograd_output_rows<Form, 2>(y, p, x, u, b, rectify);
    } else {
      winograd_output_rows<Form, 1>(y, p, x, u, b, rectify);
    }
  }
}

template <class Form, bool kWinners>
void winograd_rows_pool(Tensor y, Winners winners, PointRows<Form> x, const float* u,
                        const float* b, bool rectify) {
  static_assert(Form::kOutputs == 4);
  for (int p = 0; p < y.height; ++p) {
    x.make(2 * p);
    for_each_rows_tile<Form, 2>(
        x, u, y.channels,
        [&]<int kChannels>(const RowsTile<Form, kChannels, 2>& tile, int o, int t) {
#pragma GCC unroll 3
          for (int c = 0; c < kChannels; ++c)
#pragma GCC unroll 2
            for (int q = 0; q < 2; ++q) {
              if (2 * t + q >= y.width) break;
              const auto& outputs = tile.outputs[c];
              pool_window<kWinners>(y.row(o + c, p) + (2 * t + q) * kLanes, winners, o + c,
                                    (p * y.width + 2 * t + q) * kLanes, outputs[0] + 2 * q,
                                    outputs[1] + 2 * q, b[o + c], rectify);
            }
        });
  }
}

}  // namespace digitron::DIGITRON_ISA
