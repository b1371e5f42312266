// Where a segment of a training step begins and ends: what it takes from the one before, and leaves
// for the next, in global memory. Each sample has cross_floats there: of each batch normalisation
// its x, its deltas on the way back, and the moments of x.
#pragma once

#include "kernels/sample_batchnorm_back.h"
#include "kernels/sample_forward.h"
#include "kernels/sample_walk.h"

namespace digitron {

// x of a normalisation, as the op before made it: in shared memory, and where it crosses. A part
// moves its share of the floats, or all of them.
template <class W>
__device__ __forceinline__ void leave_x(const W& walk, int norm) {
  const SampleOp& op = walk.program().ops[norm];
  const Image& x = walk.x_of(norm);
  const Range own = walk.group.share(op.channels * op.height * op.width);
  for (int i = own.first + static_cast<int>(threadIdx.x); i < own.last;
       i += static_cast<int>(blockDim.x)) {
    walk.cross()[op.cross_x + i] = sample_memory[x.offset + i];
  }
}

template <class W>
__device__ __forceinline__ void take_x(const W& walk, int norm) {
  const SampleOp& op = walk.program().ops[norm];
  const Image& x = walk.x_of(norm);
  const int floats = op.channels * op.height * op.width;
  for (int i = static_cast<int>(threadIdx.x); i < floats; i += static_cast<int>(blockDim.x)) {
    sample_memory[x.offset + i] = walk.cross()[op.cross_x + i];
  }
}

// The statistics of a normalisation: the batch's, which one group moves the running ones on with
// where `moves` says so; or, in evaluation, the running ones.
template <class W>
__device__ __forceinline__ void take_statistics(const W& walk, int norm, bool moves) {
  const SampleOp& op = walk.program().ops[norm];
  const float* w = walk.buffers.parameters + op.weight;
  if (!walk.how.training) return running_statistics(op, sample_memory, walk.buffers.running, w);
  const bool mine = moves && walk.first == 0 && walk.group.rank() == 0;
  batch_statistics(op, sample_memory, walk.buffers.cross + op.cross_moments,
                   walk.program().cross_floats, walk.how.n, w,
                   mine ? walk.buffers.running : nullptr);
}

// Where the segment before has ended.
template <class W>
__device__ __forceinline__ void begin_segment(const W& walk, const SampleSegment& segment) {
  if (segment.first > 0) {
    with_norm(walk, segment.first, [&](int norm) { take_x(walk, norm); });
  }
  for_each_op(walk, {segment.first, segment.last}, [&](int op) {
    if (walk.program().ops[op].kind == OpKind::kBatchNorm) {
      take_statistics(walk, op, segment.norm < 0);
    }
  });
}

// Goes back through the normalisation that ended the way back of the segment before.
template <class W>
__device__ __forceinline__ void resume_backward(W& walk, const SampleSegment& segment, int norm) {
  const SampleOp& op = walk.program().ops[norm];
  if (segment.last < norm) take_x(walk, norm);
  take_statistics(walk, norm, false);
  batch_deltas(op, sample_memory, walk.buffers.records, walk.program().record_floats, walk.how.n);
  walk.end_stage(false);
  forward(walk, norm);  // for its ReLU and its windows' winners
  batchnorm_input(op, walk.program().ops[norm - 1].dy, sample_memory, walk.cross() + op.cross_d);
  walk.end_stage(false);
}

// Ends the segment in front of a normalisation.
template <class W>
__device__ __forceinline__ void leave_segment(W& walk, int norm) {
  const SampleOp& op = walk.program().ops[norm];
  leave_x(walk, norm);
  channel_moments(op, walk.x_of(norm), sample_memory, walk.cross() + op.cross_moments,
                  walk.group.share(op.channels));
}

}  // namespace digitron
