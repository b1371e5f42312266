// The stages of a walk on the way to the loss.
#pragma once

#include "kernels/sample_activation.h"
#include "kernels/sample_conv.h"
#include "kernels/sample_linear.h"
#include "kernels/sample_load.h"
#include "kernels/sample_loss.h"
#include "kernels/sample_walk.h"

namespace digitron {

template <class W>
__device__ __forceinline__ void forward_linear(const W& walk, const SampleOp& op, const Image& x) {
  const LinearGroup at = {sample_memory, walk.program().sample_floats};
  const float* b = walk.buffers.parameters + op.bias;
  with_weights(walk, op, [&](const float* w, auto width) {
    if (walk.program().samples == 1) {
      linear_forward<1, width>(op, x, at, w, b, walk.draw, walk.group);
    } else {
      linear_forward<kMostSamples, width>(op, x, at, w, b, walk.draw, walk.group);
    }
  });
  if (!walk.how.training) return;
  const Range own = walk.group.share(op.channels * op.height * op.width);
  for (int s = 0; s < walk.samples; ++s) {
    for (int i = own.first + static_cast<int>(threadIdx.x); i < own.last;
         i += static_cast<int>(blockDim.x)) {
      walk.record(s)[op.record_x + i] = walk.memory(s)[x.offset + i];
    }
  }
}

template <class W>
__device__ __forceinline__ void forward(W& walk, int index) {
  const SampleOp& op = walk.program().ops[index];
  const Image& x = walk.x_of(index);
  if (op.kind == OpKind::kLinear) {
    forward_linear(walk, op, x);
  } else {
    const bool biased = op.kind == OpKind::kConv || op.kind == OpKind::kBatchNorm;
    const float* b = biased ? walk.buffers.parameters + op.bias : nullptr;
    if (op.kind == OpKind::kConv) {
      with_tile(op.kernel, op.forward.width, [&](auto kernel, auto width) {
        conv_forward<kernel, width>(op, x, sample_memory, walk.group.share(op.out_channels));
      });
      walk.end_stage(false);
    }
    for (int s = 0; s < walk.samples; ++s) {
      activation_forward(op, walk.memory(s), b, walk.draw_of(s), walk.group);
    }
  }
  walk.await_weights(index + 1);
  walk.end_stage(op.split);
}

template <class W>
__device__ __forceinline__ void loss(W& walk, const int* labels, float scale, float smoothing) {
  const SampleOp& last = walk.program().ops[walk.program().count - 1];
  const int s = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (s < walk.samples) {
    const float* z = walk.memory(s) + last.y.offset;
    float* dz = walk.how.training ? walk.memory(s) + last.dy.offset : nullptr;
    const LossSums sums = sample_loss(dz, z, labels[s], scale, smoothing);
    const size_t row = static_cast<size_t>(walk.first + s);
    if (walk.group.rank() == 0) {
      if (lane == 0) walk.buffers.losses[row] = sums;
      if (walk.buffers.logits && lane < kClasses)
        walk.buffers.logits[row * kClasses + lane] = z[lane];
    }
  }
  walk.end_stage(false);
}

}  // namespace digitron
