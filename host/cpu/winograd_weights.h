// The weights' side of F(2, 5), see winograd.h: u = G g for every row of 5 taps, and dg = G'
// du.
#pragma once

#include "host/cpu/kernels.h"

namespace digitron {

// G: (planes, taps).
inline constexpr float kWinogradG[kWinogradPlanes][kWinogradTaps] = {
    {1.0f / 4, 0, 0, 0, 0},
    {-1.0f / 6, -1.0f / 6, -1.0f / 6, -1.0f / 6, -1.0f / 6},
    {-1.0f / 6, 1.0f / 6, -1.0f / 6, 1.0f / 6, -1.0f / 6},
    {1.0f / 24, 1.0f / 12, 1.0f / 6, 1.0f / 3, 2.0f / 3},
    {1.0f / 24, -1.0f / 12, 1.0f / 6, -1.0f / 3, 2.0f / 3},
    {0, 0, 0, 0, 1}};

// One row of taps w -> its place in each plane of u, `stride` floats apart.
inline void winograd_weights(float* u, std::ptrdiff_t stride, const float* w) {
  for (int p = 0; p < kWinogradPlanes; ++p) {
    float sum = 0;
    for (int j = 0; j < kWinogradTaps; ++j) sum += kWinogradG[p][j] * w[j];
    u[p * stride] = sum;
  }
}

// The gradient of u in each plane -> that of one row of taps.
inline void winograd_weights_gradient(float* dw, const float (&du)[kWinogradPlanes]) {
  for (int j = 0; j < kWinogradTaps; ++j) {
    dw[j] = 0;
    for (int p = 0; p < kWinogradPlanes; ++p) dw[j] += kWinogradG[p][j] * du[p];
  }
}

}  // namespace digitron
