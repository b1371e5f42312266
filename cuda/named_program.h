// The programs that have kernels of their own: kernels/sample_pass_named.cu.
#pragma once

#include "kernels/sample_program.h"

namespace digitron {

// Its number for a program that groups of `parts` blocks walk, or -1: it has none.
int find_named_program(const SampleProgram& program, int parts);

}  // namespace digitron
