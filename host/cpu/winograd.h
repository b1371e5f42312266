// Convolutions with 5 columns of taps as minimal filtering F(2, 5) along the columns: two outputs
// of a row cost 6 products in place of 10. Winograd, "Arithmetic complexity of computations", 1980;
// the transforms for the points 0, 1, -1, 2, -2 and infinity are those of Lavin and Gray's F(4, 3),
// 2016, with the roles of taps and outputs exchanged:
//
//   y = A' ((G g) * (B' d))      d: 6 inputs, g: 5 taps, y: 2 outputs, * element by element
//
// Along the rows nothing changes, so that each of the 6 products is a convolution by columns of
// taps, and because the three passes are linear they all are: dv, dm and du take the place of dx,
// dy and dw. Tiles become the tensors' rows and rows their columns, which is the shape the other
// kernels are fastest at.
#pragma once

#include "host/cpu/vector.h"

namespace digitron::DIGITRON_ISA {

// A tile's place in its planes, each `stride` floats behind the one before.
struct Planes {
  float* data;
  std::ptrdiff_t stride;

  Vec get(int plane) const { return load(data + plane * stride); }
  void set(int plane, Vec value) const { store(data + plane * stride, value); }
};

// Calls f(row's first float of the tile, planes) for every tile of every row of a tensor.
template <class F>
inline void for_each_winograd_tile(float* planes, Tensor tensor, int tiles, F f) {
  const std::ptrdiff_t stride = std::ptrdiff_t{tensor.channels} * tiles * tensor.height * kLanes;
  for (int c = 0; c < tensor.channels; ++c)
    for (int r = 0; r < tensor.height; ++r)
      for (int t = 0; t < tiles; ++t)
        for (int lane = 0; lane < kLanes; lane += kWidth) {
          const std::ptrdiff_t at = ((std::ptrdiff_t{c} * tiles + t) * tensor.height + r) * kLanes;
          f(tensor.row(c, r) + t * kWinogradTile * kLanes + lane,
            Planes{planes + at + lane, stride});
        }
}

// v = B' d
inline void winograd_input(float* v, Tensor x, int tiles) {
  for_each_winograd_tile(v, x, tiles, [](const float* from, Planes to) {
    Vec d[kWinogradPlanes];
    for (int i = 0; i < kWinogradPlanes; ++i) d[i] = load(from + i * kLanes);
    const Vec even = d[4] - 4.0f * d[2];
    const Vec odd = d[3] - 4.0f * d[1];
    const Vec far_even = d[4] - d[2];
    const Vec far_odd = 2.0f * (d[3] - d[1]);
    to.set(0, 4.0f * d[0] - 5.0f * d[2] + d[4]);
    to.set(1, even + odd);
    to.set(2, even - odd);
    to.set(3, far_even + far_odd);
    to.set(4, far_even - far_odd);
    to.set(5, 4.0f * d[1] - 5.0f * d[3] + d[5]);
  });
}

// y = A' m + b
inline void winograd_output(Tensor y, const float* m, const float* b, bool rectify) {
  const std::ptrdiff_t channel = std::ptrdiff_t{y.height} * y.width * kLanes / kWinogradTile;
  const std::ptrdiff_t plane = channel * y.channels;
  for (int c = 0; c < y.channels; ++c) {
    const Vec bias = broadcast(b[c]);
    Tensor one = y;
    one.channels = 1;
    one.data = y.row(c, 0);
    float* planes = const_cast<float*>(m) + c * channel;
    for_each_winograd_tile(planes, one, y.width / kWinogradTile, [=](float* to, Planes from) {
      const Planes m_planes{from.data, plane};
      const Vec near_sum = m_planes.get(1) + m_planes.get(2);
      const Vec near_difference = m_planes.get(1) - m_planes.get(2);
      const Vec far_sum = m_planes.get(3) + m_planes.get(4);
      const Vec far_difference = m_planes.get(3) - m_planes.get(4);
      const Vec first = bias + m_planes.get(0) + near_sum + far_sum;
      const Vec second = bias + near_difference + 2.0f * far_difference + m_planes.get(5);
      store(to, rectify ? relu(first) : first);
      store(to + kLanes, rectify ? relu(second) : second);
    });
  }
}

// dm = A dy
inline void winograd_output_gradient(float* dm, Tensor dy) {
  for_each_winograd_tile(dm, dy, dy.width / kWinogradTile, [](const float* from, Planes to) {
    const Vec first = load(from);
    const Vec second = load(from + kLanes);
    to.set(0, first);
    to.set(1, first + second);
    to.set(2, first - second);
    to.set(3, first + 2.0f * second);
    to.set(4, first - 2.0f * second);
    to.set(5, second);
  });
}

// dd = B dv, added where tiles overlap
inline void winograd_input_gradient(Tensor dx, const float* dv, int tiles) {
  float* planes = const_cast<float*>(dv);
  for_each_winograd_tile(planes, dx, tiles, [](float* to, Planes from) {
    const Vec v0 = from.get(0), v5 = from.get(5);
    const Vec near_sum = from.get(1) + from.get(2);
    const Vec near_difference = from.get(1) - from.get(2);
    const Vec far_sum = from.get(3) + from.get(4);
    const Vec far_difference = from.get(3) - from.get(4);
    const Vec d[kWinogradPlanes] = {4.0f * v0,
                                    4.0f * (v5 - near_difference) - 2.0f * far_difference,
                                    -5.0f * v0 - 4.0f * near_sum - far_sum,
                                    near_difference + 2.0f * far_difference - 5.0f * v5,
                                    v0 + near_sum + far_sum,
                                    v5};
    for (int i = 0; i < kWinogradPlanes; ++i) {
      store(to + i * kLanes, load(to + i * kLanes) + d[i]);
    }
  });
}

}  // namespace digitron::DIGITRON_ISA
