// A group's walk through a sample program: what its stages share.
#pragma once

#include <cuda_pipeline.h>

#include "kernels/block_group.h"
#include "kernels/sample_activation.h"
#include "kernels/sample_dropout.h"
#include "kernels/sample_pass.h"

namespace digitron {

extern __shared__ float sample_memory[];

// Calls f(kernel, width) with constants.
template <class F>
__device__ __forceinline__ void with_tile(int kernel, int width, F f) {
  if (kernel == 5) {
    if (width == 14) return f(Constant<5>(), Constant<14>());
    if (width == 10) return f(Constant<5>(), Constant<10>());
    return f(Constant<5>(), Constant<6>());
  }
  if (width == 14) return f(Constant<3>(), Constant<14>());
  if (width == 10) return f(Constant<3>(), Constant<10>());
  return f(Constant<3>(), Constant<6>());
}

// Clocks at the ends of a block's phases, by its first thread, for a timed pass.
template <bool kTimed>
struct PhaseClock {
  int64_t* times;
  int phase = 0;

  __device__ void mark() {
    if constexpr (kTimed) {
      if (threadIdx.x == 0) times[blockIdx.x * kMostPhases + phase] = clock64();
      ++phase;
    }
  }
};

// A group on its way.
template <int kParts, bool kTimed>
struct Walk {
  const SampleProgram& program;
  const SampleBuffers& buffers;
  const SampleLaunch& how;
  Group<kParts> group;
  int first;    // sample of the batch
  int samples;  // of the group: at the end of a batch perhaps fewer than program.samples
  SampleDraw draw;
  PhaseClock<kTimed> clock;

  __device__ float* memory(int s) const { return sample_memory + s * program.sample_floats; }
  __device__ float* record(int s) const {
    return buffers.records + size_t(first + s) * size_t(program.record_floats);
  }
  __device__ float* cross() const {  // of the one sample that a group has where there are norms
    return buffers.cross + size_t(first) * size_t(program.cross_floats);
  }
  __device__ SampleDraw draw_of(int s) const {
    SampleDraw of = draw;
    of.row += static_cast<uint32_t>(s);
    return of;
  }
  __device__ const Image& x_of(int op) const {
    return op == 0 ? program.image : program.ops[op - 1].y;
  }

  // Ends a stage. What `shared` parts stored for each other is there, too.
  __device__ void end_stage(bool shared) {
    if (shared) {
      group.sync();
    } else {
      __syncthreads();
    }
    clock.mark();
  }

  // Waits for this thread's part of the weights that op will read from shared memory.
  __device__ void await_weights(int op) const {
    if (op < how.segment.last && program.ops[op].kind == OpKind::kLinear &&
        program.ops[op].weights >= 0) {
      __pipeline_wait_prior(0);
    }
  }
};

}  // namespace digitron
