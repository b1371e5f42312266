// Batch normalisation over a whole batch: what its blocks found out, put together in the blocks'
// order. Every thread does this for itself, which is cheaper than to meet once more.
#pragma once

#include "host/cpu/block.h"

namespace digitron {

// To training: center, inverse, scale and shift from the moments of a batch of `count` samples.
// parameters: flat in the plan's layout.
void take_batch_statistics(BatchNormConstants constants, const CpuLayout& layout,
                           const Stage& stage, const BatchMemory& batch, const float* parameters,
                           int count);

// To evaluation: the same from running statistics, flat in the plan's layout.
void take_running_statistics(BatchNormConstants constants, const Stage& stage, const float* buffers,
                             const float* parameters);

// And back: slope and offset from the sums over a batch of `count` samples.
void take_batch_sums(BatchNormConstants constants, const CpuLayout& layout, const Stage& stage,
                     const BatchMemory& batch, int count);

// The running statistics take those of a batch of `count` samples. buffers: flat in the plan's
// layout.
void update_running_statistics(float* buffers, const CpuLayout& layout, const Stage& stage,
                               const BatchMemory& batch, int count);

}  // namespace digitron
