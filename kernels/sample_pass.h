// The first of the fused step's two kernels: what one sample needs of the others is nothing, so a
// block, or a cluster of two, takes it from the data set through the whole network and back.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "host/shared/augment.h"
#include "host/shared/pixel_form.h"
#include "kernels/sample_program.h"
#include "kernels/step_state.h"

namespace digitron {

inline constexpr int kMostPhases = 4 * kMostOps + 8;  // marks of a block in a segment

// What a block of a timed pass leaves: its marks, in clocks, which each multiprocessor counts from
// a moment of its own, and its first and last one by the timer that all of them have.
struct BlockTimes {
  int64_t marks[kMostPhases];
  int64_t begin_ns, end_ns;
};

// Device memory. What a pass does not want is null.
struct SampleBuffers {
  const uint8_t* images = nullptr;    // (count, 28, 28)
  const uint8_t* labels = nullptr;    // (count)
  const StepState* state = nullptr;   // position + n <= count
  const float* parameters = nullptr;  // flat, in the plan's layout
  float* running = nullptr;           // running statistics, flat, in the plan's layout
  float* records = nullptr;           // (n, record_floats), for the weight pass
  float* cross = nullptr;             // (n, cross_floats), from one segment to the next
  LossSums* losses = nullptr;         // (n)
  float* logits = nullptr;            // (n, 10)
  BlockTimes* times = nullptr;        // (blocks), of a timed pass
};

// How a pass is made.
struct SampleLaunch {
  int n;                   // samples of the batch
  int parts;               // blocks of a sample: 1, or 2 from compute capability 9.0 on
  uint32_t step_in_graph;  // steps since the state was advanced
  bool early;              // begins before the kernel in front has ended (from 9.0 on)
  bool training;           // else running statistics, and nothing is dropped
  float smoothing;
  PixelForm form;         // of which has_sample_form
  SampleSegment segment;  // the part of the program
  int named = -1;         // its number, where the program has a kernel of its own
};

// Lets the kernel have `program.shared_floats` of shared memory: once, before it is launched.
// named: as in SampleLaunch.
cudaError_t prepare_sample_pass(const SampleProgram& program, int parts, int named);

cudaError_t sample_pass(const SampleProgram& program, const SampleBuffers& buffers,
                        const Augmentation& augmentation, const SampleLaunch& how,
                        cudaStream_t stream);

}  // namespace digitron
