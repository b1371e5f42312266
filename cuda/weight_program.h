// Which block of the fused step's second kernel has which parameters.
#pragma once

#include "kernels/weight_pass.h"

namespace digitron {

// Of the plan whose samples leave their records by `program`.
WeightProgram make_weight_program(const SampleProgram& program);

}  // namespace digitron
