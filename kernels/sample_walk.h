// A group's walk through a sample program: what its stages share.
#pragma once

#include <cuda_pipeline.h>

#include <cuda/ptx>
#include <utility>

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

// Clocks at the ends of a block's phases, by its first thread, for a timed pass. The timer, which
// may advance in steps of a microsecond, tells only where the whole block lies.
template <bool kTimed>
struct PhaseClock {
  BlockTimes* times;
  int phase = 0;

  __device__ void begin() {
    note_timer(&BlockTimes::begin_ns);
    mark();
  }
  __device__ void mark() {
    if constexpr (kTimed) {
      if (threadIdx.x == 0) times[blockIdx.x].marks[phase] = clock64();
      ++phase;
    }
  }
  __device__ void end() {
    mark();
    note_timer(&BlockTimes::end_ns);
  }

 private:
  __device__ void note_timer(int64_t BlockTimes::*which) {
    if constexpr (kTimed) {
      if (threadIdx.x == 0) {
        times[blockIdx.x].*which = static_cast<int64_t>(cuda::ptx::get_sreg_globaltimer());
      }
    }
  }
};

// A program that is among the kernel's arguments.
struct GivenProgram {
  static constexpr int kOps = 0;  // it is not known which
  const SampleProgram& given;

  __device__ const SampleProgram& operator()() const { return given; }
};

// A group on its way.
template <class Program, int kParts, bool kTimed>
struct Walk {
  static constexpr int kOps = Program::kOps;
  Program program;
  const SampleBuffers& buffers;
  const SampleLaunch& how;
  Group<kParts> group;
  int first;    // sample of the batch
  int samples;  // of the group: at the end of a batch perhaps fewer than program().samples
  SampleDraw draw;
  PhaseClock<kTimed> clock;

  __device__ float* memory(int s) const { return sample_memory + s * program().sample_floats; }
  __device__ float* record(int s) const {
    return buffers.records + size_t(first + s) * size_t(program().record_floats);
  }
  __device__ float* cross() const {  // of the one sample that a group has where there are norms
    return buffers.cross + size_t(first) * size_t(program().cross_floats);
  }
  __device__ SampleDraw draw_of(int s) const {
    SampleDraw of = draw;
    of.row += static_cast<uint32_t>(s);
    return of;
  }
  __device__ const Image& x_of(int op) const {
    return op == 0 ? program().image : program().ops[op - 1].y;
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
    if (op < how.segment.last && program().ops[op].kind == OpKind::kLinear &&
        program().ops[op].weights >= 0) {
      __pipeline_wait_prior(0);
    }
  }
};

template <class F, int... kOps>
__device__ __forceinline__ void for_each_constant(std::integer_sequence<int, kOps...>,
                                                  const Range& ops, F f) {
  ((ops.first <= kOps && kOps < ops.last ? f(Constant<kOps>()) : void()), ...);
}

template <class F, int... kOps>
__device__ __forceinline__ void for_each_constant_back(std::integer_sequence<int, kOps...>,
                                                       const Range& ops, F f) {
  constexpr int kLast = sizeof...(kOps) - 1;
  ((ops.first <= kLast - kOps && kLast - kOps < ops.last ? f(Constant<kLast - kOps>()) : void()),
   ...);
}

// Calls f with each of some ops: with a number, or, where the program is a constant, with a
// constant each, so that all which the program says of an op is one too.
template <class W, class F>
__device__ __forceinline__ void for_each_op(const W&, const Range& ops, F f) {
  if constexpr (W::kOps > 0) {
    for_each_constant(std::make_integer_sequence<int, W::kOps>(), ops, f);
  } else {
    for (int op = ops.first; op < ops.last; ++op) f(op);
  }
}

// Likewise, from the last one to the first.
template <class W, class F>
__device__ __forceinline__ void for_each_op_back(const W&, const Range& ops, F f) {
  if constexpr (W::kOps > 0) {
    for_each_constant_back(std::make_integer_sequence<int, W::kOps>(), ops, f);
  } else {
    for (int op = ops.last; op-- > ops.first;) f(op);
  }
}

// Calls f(norm), with a constant where the program is one: only ops that are normalisations come
// into question.
template <class W, class F>
__device__ __forceinline__ void with_norm(const W& walk, int norm, F f) {
  if constexpr (W::kOps > 0) {
    for_each_op(walk, {norm, norm + 1}, [&](int op) {
      if (walk.program().ops[op].kind == OpKind::kBatchNorm) f(op);
    });
  } else {
    f(norm);
  }
}

}  // namespace digitron
