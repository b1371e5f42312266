// How a walk gets what it begins with: images, labels and weights.
#pragma once

#include "kernels/pixel.h"
#include "kernels/sample_conv_sums.h"
#include "kernels/sample_form.h"
#include "kernels/sample_walk.h"

namespace digitron {

// The samples' labels and, where the walk begins with them, their images, normalised and perhaps
// distorted. Reads nothing that a step writes.
template <class W>
__device__ __forceinline__ void gather_samples(const W& walk, const Augmentation& augmentation,
                                               int* labels) {
  __shared__ uint32_t images[kMostSamples];
  __shared__ AffineMap maps[kMostSamples];
  const StepState& state = *walk.buffers.state;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < walk.samples) {
    const uint32_t image =
        state.order(state.position + walk.how.step_in_graph * static_cast<uint32_t>(walk.how.n) +
                    static_cast<uint32_t>(walk.first + thread));
    images[thread] = image;
    labels[thread] = walk.buffers.labels[image];
    if (augmentation.any()) {
      maps[thread] = draw_map(augmentation, sample_form(), state.seed, state.epoch, image);
    }
  }
  __syncthreads();
  if (walk.how.segment.first > 0) return;
  const Image& x = walk.program().image;
  for (int s = 0; s < walk.samples; ++s) {
    const uint8_t* from = walk.buffers.images + size_t{images[s]} * kImagePixels;
    for (int i = thread; i < x.plane; i += static_cast<int>(blockDim.x)) {
      int column = i;
      const int r = x.by_row.divide(column) - x.top;
      const int q = column - x.left;
      float value = 0;
      if (r >= 0 && r < kImageSide && q >= 0 && q < kImageSide) {
        value = normalised(augmentation.any() ? sample(from, sample_form(), maps[s], r, q)
                                              : from[r * kImageSide + q],
                           walk.how.form, 0);
      }
      walk.memory(s)[x.offset + i] = value;
    }
  }
}

// The segment's convolutions' weights into shared memory, and linear layers', where there is room
// for them, on their way there.
template <class W>
__device__ __forceinline__ void load_weights(const W& walk) {
  const SampleSegment& segment = walk.how.segment;
  for_each_op(walk, {segment.first, max(segment.last, segment.back_first)}, [&](int index) {
    const SampleOp& op = walk.program().ops[index];
    if (op.weights < 0) return;
    const float* w = walk.buffers.parameters + op.weight;
    if (op.kind == OpKind::kConv) {
      if (op.kernel == 5) {
        load_kernels<5>(op, w, sample_memory);
      } else {
        load_kernels<3>(op, w, sample_memory);
      }
      return;
    }
    const int inputs = op.channels * op.height * op.width;
    const Range own = op.split ? walk.group.share(op.out_channels) : Range{0, op.out_channels};
    w += own.first * inputs;
    for (int i = 4 * static_cast<int>(threadIdx.x); i < own.count() * inputs;
         i += 4 * static_cast<int>(blockDim.x)) {
      __pipeline_memcpy_async(sample_memory + op.weights + i, w + i, 16);
    }
  });
  __pipeline_commit();
}

// Calls f(w, width): w[o * inputs + i] is a weight of this part's outputs, in shared or in global
// memory, and width how many inputs are read at once.
template <class W, class F>
__device__ __forceinline__ void with_weights(const W& walk, const SampleOp& op, F f) {
  const int inputs = op.channels * op.height * op.width;
  if (op.weights >= 0) {
    const int first = op.split ? walk.group.share(op.out_channels).first : 0;
    f(sample_memory + op.weights - first * inputs, Constant<4>());
  } else if (inputs % 4 == 0) {
    f(walk.buffers.parameters + op.weight, Constant<4>());
  } else {
    f(walk.buffers.parameters + op.weight, Constant<1>());
  }
}

}  // namespace digitron
