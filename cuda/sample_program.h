// From a plan to the fused step's program: what is computed together, who takes how much of it, and
// where each tensor of a sample stands in shared memory.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "host/core/plan.h"
#include "kernels/sample_program.h"

namespace digitron {

struct SampleLimits {
  size_t shared_bytes;  // that a block may have
  int parts;            // blocks of a sample: 1 or 2
};

// The program, or in words why the plan has none, to follow "layer by layer: ". What a program
// computes depends on the plan and, where little shared memory makes the sums' slices fewer, on
// shared_bytes; on `parts` it does not depend.
std::variant<SampleProgram, std::string> make_sample_program(const Plan& plan,
                                                             const SampleLimits& limits);

// A training step's segments, in their order: one, or with m batch normalisations up to 2 m + 1.
std::vector<SampleSegment> training_segments(const SampleProgram& program);

// The layer that each of the program's ops is named after: "conv1".
std::vector<std::string> op_names(const Plan& plan);

}  // namespace digitron
