// The sample pass's kernel, as a template: each instantiation takes as long to compile as all other
// kernels together, so they have files of their own.
#pragma once

#include "kernels/dependent_launch.h"
#include "kernels/sample_backward.h"
#include "kernels/sample_forward.h"
#include "kernels/sample_segment.h"

namespace digitron {

// A block's way through one segment.
template <int kParts, bool kTimed, class Program>
__device__ __forceinline__ void walk_segment(Program program, const SampleBuffers& buffers,
                                             const Augmentation& augmentation,
                                             const SampleLaunch& how) {
  __shared__ int labels[kMostSamples];
  const SampleSegment& segment = how.segment;
  const StepState& state = *buffers.state;
  const int first = static_cast<int>(blockIdx.x) / kParts * program().samples;
  const SampleDraw draw = {state.seed, state.step + how.step_in_graph, static_cast<uint32_t>(first),
                           how.training};
  Walk<Program, kParts, kTimed> walk = {
      program, buffers,        how, {}, first, min(program().samples, how.n - first),
      draw,    {buffers.times}};
  walk.clock.begin();
  gather_samples(walk, augmentation, labels);
  walk.clock.mark();
  wait_for_kernel_in_front();
  load_weights(walk);
  begin_segment(walk, segment);
  walk.await_weights(segment.first);
  walk.end_stage(true);  // the other part has started, and may be stored to
  for_each_op(walk, {segment.first, segment.last}, [&](int op) { forward(walk, op); });
  if (segment.loss) {
    loss(walk, labels, 1.0f / static_cast<float>(how.n), how.smoothing);
  } else if (segment.norm >= 0) {
    with_norm(walk, segment.norm, [&](int norm) { resume_backward(walk, segment, norm); });
  } else {
    with_norm(walk, segment.last, [&](int norm) { leave_segment(walk, norm); });
  }
  for_each_op_back(walk, {segment.back_last, segment.back_first},
                   [&](int op) { backward(walk, op); });
  walk.clock.end();
}

template <int kParts, bool kTimed>
__global__ void __launch_bounds__(kSampleThreads / kParts, 1)
    sample_pass_kernel(const __grid_constant__ SampleProgram program,
                       const __grid_constant__ SampleBuffers buffers,
                       const __grid_constant__ Augmentation augmentation,
                       const __grid_constant__ SampleLaunch how) {
  if constexpr (kParts == 1) {
    walk_segment<1, kTimed>(GivenProgram{program}, buffers, augmentation, how);
  } else {
    NV_IF_TARGET(NV_PROVIDES_SM_90,
                 (walk_segment<2, kTimed>(GivenProgram{program}, buffers, augmentation, how);))
  }
}

using SampleKernel = void (*)(SampleProgram, SampleBuffers, Augmentation, SampleLaunch);

// For a group of so many blocks, with a clock at the end of each phase.
SampleKernel timed_sample_kernel(int parts);

}  // namespace digitron
