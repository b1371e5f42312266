// The sample pass of the named models: the general kernel with the program as a constant. It does
// the same operations in the same order; what the general one reads and computes of the program,
// where a tensor stands and how many of what there are, is in the instructions.
#include "kernels/sample_pass_named.h"

#include "kernels/named_programs.h"
#include "kernels/sample_kernel.h"

namespace digitron {

namespace {

template <class Named>
__device__ constexpr SampleProgram kProgram = Named::make();

template <class Named>
struct ConstantProgram {
  static constexpr int kOps = Named::kOps;
  __device__ const SampleProgram& operator()() const { return kProgram<Named>; }
};

template <class Named, bool kTimed>
__global__ void __launch_bounds__(kSampleThreads / Named::kParts, 1)
    named_sample_kernel(const __grid_constant__ SampleBuffers buffers,
                        const __grid_constant__ Augmentation augmentation,
                        const __grid_constant__ SampleLaunch how) {
  if constexpr (Named::kParts == 1) {
    walk_segment<1, kTimed>(ConstantProgram<Named>(), buffers, augmentation, how);
  } else {
    NV_IF_TARGET(NV_PROVIDES_SM_90,
                 (walk_segment<2, kTimed>(ConstantProgram<Named>(), buffers, augmentation, how);))
  }
}

template <bool kTimed, class... Named>
NamedKernel kernel_of(int number, ProgramList<Named...>) {
  const NamedKernel kernels[] = {named_sample_kernel<Named, kTimed>...};
  return kernels[number];
}

}  // namespace

NamedKernel named_kernel(int number, bool timed) {
  return timed ? kernel_of<true>(number, NamedPrograms())
               : kernel_of<false>(number, NamedPrograms());
}

}  // namespace digitron
