// The steps by which make_sample_program makes a program, in their order.
#pragma once

#include <vector>

#include "host/core/fusion.h"
#include "kernels/sample_program.h"

namespace digitron {

// A count of floats, made up to whole 16 bytes.
constexpr int fours(int count) {
  return (count + 3) / 4 * 4;
}

// What each op is, and which parts of a group do what. layers: of the plan, none without a fused
// form, at most kMostOps.
void describe_ops(SampleProgram& program, const Plan& plan, const std::vector<FusedLayers>& layers);

// How the ops' work is divided among threads, and the tensors' shapes that follow from it; the
// slices of a stage take at most `most_floats`.
void shape_tensors(SampleProgram& program, int most_floats);

// Where the tensors stand in shared memory, in a sample's record and between segments.
void place_tensors(SampleProgram& program);

}  // namespace digitron
