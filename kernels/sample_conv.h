// A convolution of one sample in shared memory, stride 1, kernel K x K:
//
//   z[o][r][q]     = sum over c, i, j of w[o][c][i][j] * x[c][r + i][q + j]       x with its border
//   dx[c][r][q]    = sum over o, i, j of w[o][c][i][j] * dz[o][r + pad - i][q + pad - j]
//   dw[o][c][i][j] = sum over r, q    of dz[o][r][q] * x[c][r + i][q + j]
//
// All three are rows times rows, so one thread takes a tile of a row: it loads T + K - 1 values and
// K weights for T * K multiply-adds.
//
//       x row   [ . . . . . . . . . . . . . . ]        T + K - 1 floats, in pairs
//               \___ K ___/                            w[o][c][i], one or two loads
//       acc     [ 0 1 2 3 4 5 6 7 8 9 ]                T sums
//
// Where one tile each is too few for the block, a sum is cut into slices, each a tensor of its own
// that the next stage adds in their order.
#pragma once

#include "kernels/block_group.h"
#include "kernels/sample_program.h"
#include "kernels/sample_rows.h"

namespace digitron {

// z of the channels in `own`; a slice is a part of x's channels.
template <int kKernel, int kTile>
__device__ __forceinline__ void conv_forward(const SampleOp& op, const Image& x, float* memory,
                                             const Range& own) {
  const int items = own.count() * op.z.slices * op.z_height * op.forward.count;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int tile = item;
    int row = op.forward.by_count.divide(tile);
    int slice = op.by_z_height.divide(row);
    const int o = own.first + op.z.by_slices.divide(slice);
    const int last = op.channels * (slice + 1) / op.z.slices;
    float acc[kTile] = {};
#pragma unroll 1
    for (int c = op.channels * slice / op.z.slices; c < last; ++c) {
      const float* from = memory + x.offset + c * x.plane + row * x.row + tile * kTile;
      const float* w = memory + op.weights + (o * op.channels + c) * kKernel * kWeightRow<kKernel>;
#pragma unroll 1
      for (int i = 0; i < kKernel; ++i) {
        float values[kTile + kKernel - 1], weights[kKernel];
        load_row(values, from + i * x.row);
        load_weights(weights, w + i * kWeightRow<kKernel>);
        add_row<false>(acc, values, weights);
      }
    }
    store_row(
        memory + op.z.offset + slice * op.z.slice + o * op.z.plane + row * op.z.row + tile * kTile,
        acc);
  }
}

// dx, the dy of the op before, for the channels of x in `own`; a slice is a part of z's channels.
// Row r + pad of x, with its border, has K taps inside, near the edges only some rows of dz have
// them. A thread takes the rows that are equal modulo dz's height: together they have K.
template <int kKernel, int kTile>
__device__ __forceinline__ void conv_input(const SampleOp& op, const Slices& dx, float* memory,
                                           const Range& own) {
  const int items = own.count() * dx.slices * op.z_height * op.input.count;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int tile = item;
    int first_row = op.input.by_count.divide(tile);
    int slice = op.by_z_height.divide(first_row);
    const int c = own.first + dx.by_slices.divide(slice);
    const int begin = op.out_channels * slice / dx.slices;
    const int end = op.out_channels * (slice + 1) / dx.slices;
    const int column = op.dz.left - (kKernel - 1 - op.pad) + tile * kTile;
    for (int row = first_row; row < op.height + op.pad; row += op.z_height) {
      if (row < op.pad) continue;
      const int from_tap = max(0, row - op.z_height + 1);
      const int to_tap = min(kKernel - 1, row);
      float acc[kTile] = {};
#pragma unroll 1
      for (int o = begin; o < end; ++o) {
        const float* from = memory + op.dz.offset + o * op.dz.plane + row * op.dz.row + column;
        const float* w =
            memory + op.weights + (o * op.channels + c) * kKernel * kWeightRow<kKernel>;
#pragma unroll 1
        for (int i = from_tap; i <= to_tap; ++i) {
          float values[kTile + kKernel - 1], weights[kKernel];
          const float* dz_row = from - i * op.dz.row;
          if (column % 2 == 0) {
            load_row(values, dz_row);
          } else {
#pragma unroll
            for (int q = 0; q < kTile + kKernel - 1; ++q) values[q] = dz_row[q];
          }
          load_weights(weights, w + i * kWeightRow<kKernel>);
          add_row<true>(acc, values, weights);
        }
      }
      store_row(memory + dx.offset + slice * dx.slice + c * dx.plane + (row - op.pad) * dx.row +
                    tile * kTile,
                acc);
    }
  }
}

// dw of z's channels in `own`: a thread has a row of the kernel, and a slice is a part of dz's
// tiles. A single slice goes to the record at once.
template <int kKernel, int kTile>
__device__ __forceinline__ void conv_weights(const SampleOp& op, const Image& x, float* memory,
                                             float* record, const Range& own) {
  const int units = op.z_height * op.weight_tiles.count;
  const int items = own.count() * op.dw.slices * op.channels * kKernel;
  for (int item = static_cast<int>(threadIdx.x); item < items;
       item += static_cast<int>(blockDim.x)) {
    int c = item / kKernel;
    const int i = item % kKernel;
    int slice = op.by_channels.divide(c);
    const int o = own.first + op.dw.by_slices.divide(slice);
    const int last = units * (slice + 1) / op.dw.slices;
    float acc[kKernel] = {};
#pragma unroll 1
    for (int unit = units * slice / op.dw.slices; unit < last; ++unit) {
      int tile = unit;
      const int row = op.weight_tiles.by_count.divide(tile);
      float values[kTile + kKernel - 1], deltas[kTile];
      load_row(values, memory + x.offset + c * x.plane + (row + i) * x.row + tile * kTile);
      load_row(deltas, memory + op.dz.offset + o * op.dz.plane + row * op.dz.row + op.dz.left +
                           tile * kTile);
#pragma unroll
      for (int q = 0; q < kTile; ++q) {
#pragma unroll
        for (int j = 0; j < kKernel; ++j) acc[j] += deltas[q] * values[q + j];
      }
    }
    const int at = ((o * op.channels + c) * kKernel + i) * kKernel;
    float* to = op.dw.slices == 1 ? record + op.record_w + at
                                  : memory + op.dw.offset + slice * op.dw.slice + at;
#pragma unroll
    for (int j = 0; j < kKernel; ++j) to[j] = acc[j];
  }
}

}  // namespace digitron
