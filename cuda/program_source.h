// A sample program as C++ source: so it becomes a constant of kernels of its own, and so two are
// compared.
#pragma once

#include <string>

#include "kernels/sample_program.h"

namespace digitron {

// An initialiser, "{5, 1, ...}".
std::string program_source(const SampleProgram& program);

}  // namespace digitron
