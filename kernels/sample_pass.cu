// One sample through the network and back:
//
//   gather -> [conv -> pool, relu] ... -> [fc, relu] ... -> loss -> ... back ... -> the record
//
// The record is what the weight pass needs of a sample: x and dz of each linear layer and the
// gradients of each convolution, 3,404 floats for LeNet-5. Everything else stays in shared memory.
// Reads 784 bytes of image and all the parameters, 247 KB for LeNet-5, most of them from L2.
//
// A group of kParts blocks has a sample, or, where no convolution is, several. Each part has a copy
// of all activations; it makes its share of a split layer's outputs for every part. Any value is
// made by the same operations in the same order whatever kParts is.
#include "kernels/sample_pass.h"

#include "kernels/launch.h"
#include "kernels/sample_kernel.h"

namespace digitron {

namespace {

SampleKernel kernel_of(int parts, bool timed) {
  if (timed) return timed_sample_kernel(parts);
  return parts == 2 ? sample_pass_kernel<2, false> : sample_pass_kernel<1, false>;
}

}  // namespace

cudaError_t prepare_sample_pass(const SampleProgram& program, int parts) {
  const auto bytes = static_cast<int>(sizeof(float)) * program.shared_floats;
  for (const bool timed : {false, true}) {
    const SampleKernel kernel = kernel_of(parts, timed);
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t sample_pass(const SampleProgram& program, const SampleBuffers& buffers,
                        const Augmentation& augmentation, const SampleLaunch& how,
                        cudaStream_t stream) {
  const bool timed = buffers.times != nullptr;
  const auto groups = blocks_for(static_cast<size_t>(how.n), program.samples);
  return launch({groups * static_cast<size_t>(how.parts), kSampleThreads / how.parts,
                 sizeof(float) * static_cast<size_t>(program.shared_floats), how.parts, how.early},
                kernel_of(how.parts, timed), stream, program, buffers, augmentation, how);
}

}  // namespace digitron
