// The phases of a sample pass, from the clocks that the kernel marks at their ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "kernels/sample_pass.h"

namespace digitron {

// The phases of each segment, one for each mark but the first, in their order.
using SegmentPhases = std::vector<std::vector<Phase>>;

// Of a training step, without times. names: of the program's ops. An "activation" is what follows a
// convolution's sums of products, a "delta" the way back through that; the slices of a
// convolution's gradients are added up in the phase behind.
SegmentPhases sample_phases(const SampleProgram& program,
                            const std::vector<SampleSegment>& segments,
                            const std::vector<std::string>& names);

// The clocks of timed steps: (steps, segments, blocks, kMostPhases).
struct PassClocks {
  size_t steps, segments, blocks;

  size_t of_step(size_t step) const { return step * segments * blocks * kMostPhases; }
  size_t count() const { return of_step(steps); }
};

// The same with their times, all segments' behind each other.
Profile timed_phases(SegmentPhases phases, std::span<const int64_t> clocks,
                     const PassClocks& shape);

}  // namespace digitron
