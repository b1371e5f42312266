// An optimiser's step, one launch for all parameters w with gradients g:
//
//   SGD        m = momentum * m + (g + decay * w),   w -= lr * m
//   Nesterov   m likewise,                           w -= lr * (g + decay * w + momentum * m)
//   Adam       m = beta1 * m + (1 - beta1) * (g + decay * w),   v likewise with its square,
//              w -= step_size * m / (sqrt(v) * root_scale + eps)
//   AdamW      w -= lr * decay * w instead of the decay in g
//   average    a += average_rate * (w - a), when one is kept
//
// Reads and writes each buffer once: for SGD 12 bytes a parameter in and 8 out, 1.2 MB for LeNet-5;
// a second moment and an average cost 8 more each. Four parameters a thread, in 16-byte loads. What
// differs from step to step is read from rates[slot]. The gaps between aligned slices are zero in
// all buffers, and stay so.
#include "kernels/kernels.h"

#include "kernels/launch.h"
#include "kernels/update_element.h"

namespace digitron {

namespace {

__device__ float4& vector_at(float* buffer, size_t i) {
  return reinterpret_cast<float4*>(buffer)[i];
}

template <OptimizerKind kKind>
__global__ void optimizer_kernel(FlatBuffers buffers, const float4* g, UpdateRule rule,
                                 const StepRates* all_rates, const StepState* state,
                                 size_t vectors) {
  const size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= vectors) return;
  const StepRates rates = all_rates[state->slot];
  float4 w = vector_at(buffers.w, i);
  float4 m = vector_at(buffers.m, i);
  float4 v = buffers.v ? vector_at(buffers.v, i) : make_float4(0, 0, 0, 0);
  float4 a = buffers.average ? vector_at(buffers.average, i) : make_float4(0, 0, 0, 0);
  const float4 gi = g[i];
  const auto one = [&](float& wi, float& mi, float& vi, float& ai, float gradient) {
    Element p = {wi, mi, vi, ai};
    update<kKind>(p, gradient, rule, rates);
    wi = p.w;
    mi = p.m;
    vi = p.v;
    ai = p.average;
  };
  one(w.x, m.x, v.x, a.x, gi.x);
  one(w.y, m.y, v.y, a.y, gi.y);
  one(w.z, m.z, v.z, a.z, gi.z);
  one(w.w, m.w, v.w, a.w, gi.w);
  vector_at(buffers.w, i) = w;
  vector_at(buffers.m, i) = m;
  if (buffers.v) vector_at(buffers.v, i) = v;
  if (buffers.average) vector_at(buffers.average, i) = a;
}

auto kernel_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kNesterov:
      return optimizer_kernel<OptimizerKind::kNesterov>;
    case OptimizerKind::kAdam:
      return optimizer_kernel<OptimizerKind::kAdam>;
    case OptimizerKind::kAdamW:
      return optimizer_kernel<OptimizerKind::kAdamW>;
    default:
      return optimizer_kernel<OptimizerKind::kSgd>;
  }
}

}  // namespace

cudaError_t optimizer_step(const FlatBuffers& buffers, const float* g, const UpdateRule& rule,
                           const StepRates* rates, const StepState* state, size_t count,
                           cudaStream_t stream) {
  return launch(kernel_of(rule.kind), blocks_for(count / 4, kThreads), kThreads, stream, buffers,
                reinterpret_cast<const float4*>(g), rule, rates, state, count / 4);
}

}  // namespace digitron
