// The stages of a walk on the way back from the loss.
#pragma once

#include "kernels/sample_batchnorm_back.h"
#include "kernels/sample_conv.h"
#include "kernels/sample_conv_sums.h"
#include "kernels/sample_delta.h"
#include "kernels/sample_linear.h"
#include "kernels/sample_load.h"
#include "kernels/sample_walk.h"

namespace digitron {

template <class W>
__device__ __forceinline__ void backward_linear(W& walk, int index) {
  const SampleOp& op = walk.program().ops[index];
  const Range own = walk.group.share(op.out_channels);
  for (int s = 0; s < walk.samples; ++s) {
    float* const memory = walk.memory(s);
    for (int o = static_cast<int>(threadIdx.x); o < op.out_channels;
         o += static_cast<int>(blockDim.x)) {
      const float d = delta(op, memory, walk.draw_of(s), o, 0, 0);
      memory[op.dz.offset + o] = d;
      if (o >= own.first && o < own.last) walk.record(s)[op.record_d + o] = d;
    }
  }
  walk.end_stage(false);
  if (!op.input_grad) return;
  const LinearGroup at = {sample_memory, walk.program().sample_floats};
  with_weights(walk, op, [&](const float* w, auto width) {
    const Slices& dx = walk.program().ops[index - 1].dy;
    if (walk.program().samples == 1) {
      linear_input<1, width>(op, dx, at, w, walk.group);
    } else {
      linear_input<kMostSamples, width>(op, dx, at, w, walk.group);
    }
  });
  walk.end_stage(op.split);
}

template <class W>
__device__ __forceinline__ void backward_conv(W& walk, int index) {
  const SampleOp& op = walk.program().ops[index];
  conv_delta(op, sample_memory, walk.draw, walk.group);
  walk.end_stage(op.exchange_dz);
  if (op.input_grad) {
    with_tile(op.kernel, op.input.width, [&](auto kernel, auto width) {
      conv_input<kernel, width>(op, walk.program().ops[index - 1].dy, sample_memory,
                                walk.group.share(op.channels));
    });
  }
  const Range own = walk.group.share(op.out_channels);
  with_tile(op.kernel, op.weight_tiles.width, [&](auto kernel, auto width) {
    conv_weights<kernel, width>(op, walk.x_of(index), sample_memory, walk.record(0), own);
  });
  conv_bias(op, sample_memory, walk.record(0), own);
  walk.end_stage(false);
  conv_weights_sum(op, sample_memory, walk.record(0), own);
}

template <class W>
__device__ __forceinline__ void backward(W& walk, int index) {
  const SampleOp& op = walk.program().ops[index];
  if (op.kind == OpKind::kConv) return backward_conv(walk, index);
  if (op.kind == OpKind::kLinear) return backward_linear(walk, index);
  if (op.kind == OpKind::kBatchNorm) {  // the rest needs the whole batch: resume_backward
    return batchnorm_sums(op, sample_memory, walk.cross() + op.cross_d, walk.record(0), walk.draw,
                          walk.group.share(op.out_channels));
  }
  for (int s = 0; s < walk.samples; ++s) {
    activation_backward(op, walk.program().ops[index - 1].dy, walk.memory(s), walk.draw_of(s),
                        walk.group);
  }
  walk.end_stage(false);
}

}  // namespace digitron
