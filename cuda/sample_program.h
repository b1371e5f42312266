// From a plan to the fused step's program: what is computed together, who takes how much of it, and
// where each tensor of a sample stands in shared memory.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

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

}  // namespace digitron
