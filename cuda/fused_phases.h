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

// What timed steps leave: (steps, segments, blocks).
struct PassClocks {
  size_t steps, segments, blocks;

  size_t of_step(size_t step) const { return step * segments * blocks; }
  size_t count() const { return of_step(steps); }
};

// The same with their times, all segments' behind each other.
Profile timed_phases(SegmentPhases phases, std::span<const BlockTimes> times,
                     const PassClocks& shape);

// The last of the steps, from its first block's beginning on: a lane for each segment and block,
// with the phases inside an event of the whole, named `pass`. There are at most 16 lanes, of each
// segment's first blocks: as many as a screen shows. shape.steps is at least 1.
std::vector<TraceEvent> phase_lanes(const std::string& pass, const SegmentPhases& phases,
                                    std::span<const BlockTimes> times, const PassClocks& shape);

}  // namespace digitron
