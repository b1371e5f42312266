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
#include "kernels/sample_pass_named.h"

namespace digitron {

namespace {

SampleKernel kernel_of(int parts, bool timed) {
  if (timed) return timed_sample_kernel(parts);
  return parts == 2 ? sample_pass_kernel<2, false> : sample_pass_kernel<1, false>;
}

}  // namespace

cudaError_t prepare_sample_pass(const SampleProgram& program, int parts, int named) {
  const auto bytes = static_cast<int>(sizeof(float)) * program.shared_floats;
  const auto prepare = [bytes](auto kernel) {
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  };
  for (const bool timed : {false, true}) {
    const cudaError_t error =
        named >= 0 ? prepare(named_kernel(named, timed)) : prepare(kernel_of(parts, timed));
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t sample_pass(const SampleProgram& program, const SampleBuffers& buffers,
                        const Augmentation& augmentation, const SampleLaunch& how,
                        cudaStream_t stream) {
  const bool timed = buffers.times != nullptr;
  const LaunchShape shape = {
      blocks_for(static_cast<size_t>(how.n), program.samples) * static_cast<size_t>(how.parts),
      kSampleThreads / how.parts, sizeof(float) * static_cast<size_t>(program.shared_floats),
      how.parts, how.early};
  if (how.named >= 0) {
    return launch(shape, named_kernel(how.named, timed), stream, buffers, augmentation, how);
  }
  return launch(shape, kernel_of(how.parts, timed), stream, program, buffers, augmentation, how);
}

}  // namespace digitron
