// Which layers an engine computes together with the one before them, so that the values between
// them never go to memory and back.
#pragma once

#include <cstddef>
#include <vector>

#include "host/core/plan.h"

namespace digitron {

// What an engine's kernels take along, beside a ReLU after a convolution or a linear layer.
struct FusionRules {
  bool relu = false;     // a ReLU after a pooling or a batch normalisation too
  bool pooling = false;  // a pooling whose windows lie side by side, after a convolution or a batch
                         // normalisation; a ReLU may stand before or after it: they commute
  bool dropout = false;  // a dropout after a linear layer's ReLU
};

// A layer of the plan and what is computed with it.
struct FusedLayers {
  const PlannedLayer* layer;
  int index;          // of the layer in the plan
  Shape out;          // of the last one
  bool relu = false;  // of several in a row only the first changes anything
  const PlannedLayer* pool = nullptr;
  const PlannedLayer* dropout = nullptr;
  int dropout_index = -1;
};

// All layers of the plan, in order; the result points into the plan.
std::vector<FusedLayers> fuse(const Plan& plan, const FusionRules& rules);

}  // namespace digitron
