// What changes between two replays of a recorded step. It lives in device memory: kernels read it,
// `advance` updates it, and the graph's own arguments never change.
#pragma once

#include <cstdint>

#include "host/shared/permutation.h"

namespace digitron {

struct StepState {
  Permutation order;  // of the epoch; its keys are drawn on the host, its values on the device
  uint32_t position;  // of the step's first sample in the epoch
  uint64_t seed;      // the run's: augmentation and dropout draw with it
  uint32_t epoch;     // likewise augmentation
  uint32_t step;      // over the whole run, from 0: likewise dropout
  uint32_t slot;      // of the step's rates and metrics: it counts within a call
};

// Sums over some samples: of one block, then of one step.
struct LossSums {
  double loss;
  int32_t correct;
  int32_t count;
};

}  // namespace digitron
