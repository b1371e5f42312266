// Parameters with what their optimiser keeps of them, from memory and back.
#pragma once

#include <cuda_runtime.h>

#include "kernels/kernels.h"
#include "kernels/update_element.h"

namespace digitron {

__device__ inline Element load_element(const FlatBuffers& buffers, int i) {
  return {buffers.w[i], buffers.m[i], buffers.v ? buffers.v[i] : 0.0f,
          buffers.average ? buffers.average[i] : 0.0f};
}

__device__ inline void store_element(const FlatBuffers& buffers, int i, const Element& p) {
  buffers.w[i] = p.w;
  buffers.m[i] = p.m;
  if (buffers.v) buffers.v[i] = p.v;
  if (buffers.average) buffers.average[i] = p.average;
}

__device__ inline float4 load_four(const float* from, int i) {
  return from ? *reinterpret_cast<const float4*>(from + i) : make_float4(0, 0, 0, 0);
}

__device__ inline void store_four(float* to, int i, float a, float b, float c, float d) {
  if (to) *reinterpret_cast<float4*>(to + i) = make_float4(a, b, c, d);
}

// Parameters i to i + count - 1 of a thread, in 16-byte loads where `aligned` says that there are
// four of them and where they begin.
__device__ inline void load_elements(Element (&p)[4], const FlatBuffers& buffers, int i, int count,
                                     bool aligned) {
  if (aligned) {
    const float4 w = load_four(buffers.w, i), m = load_four(buffers.m, i);
    const float4 v = load_four(buffers.v, i), a = load_four(buffers.average, i);
    p[0] = {w.x, m.x, v.x, a.x};
    p[1] = {w.y, m.y, v.y, a.y};
    p[2] = {w.z, m.z, v.z, a.z};
    p[3] = {w.w, m.w, v.w, a.w};
    return;
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (k < count) p[k] = load_element(buffers, i + k);
  }
}

__device__ inline void store_elements(const FlatBuffers& buffers, int i, const Element (&p)[4],
                                      int count, bool aligned) {
  if (aligned) {
    store_four(buffers.w, i, p[0].w, p[1].w, p[2].w, p[3].w);
    store_four(buffers.m, i, p[0].m, p[1].m, p[2].m, p[3].m);
    store_four(buffers.v, i, p[0].v, p[1].v, p[2].v, p[3].v);
    store_four(buffers.average, i, p[0].average, p[1].average, p[2].average, p[3].average);
    return;
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (k < count) store_element(buffers, i + k, p[k]);
  }
}

}  // namespace digitron
