// Sample passes for the programs that the build has made constants of.
#pragma once

#include "kernels/sample_pass.h"

namespace digitron {

using NamedKernel = void (*)(SampleBuffers, Augmentation, SampleLaunch);

// number: of cuda/named_program.h.
NamedKernel named_kernel(int number, bool timed);

}  // namespace digitron
