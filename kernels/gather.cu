// The batch, drawn on the device:
//
//   i = order(position + row)
//   x[row][p] = (images[i][p] / 255 - mean) / deviation,   labels[row] = all_labels[i]
//
// Reads 784 bytes a sample, writes 3136 of x: 251 KB for a batch of 64. The order is a keyed
// permutation that is computed where it is needed (host/permutation.h), so no index array exists.
// One block a sample: its first thread walks the permutation, then each thread takes 4 pixels.
#include "kernels/gather.h"

#include "host/dataset_constants.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

constexpr int kVectors = kImagePixels / 4;

__device__ float normalised(unsigned char pixel) {
  return (static_cast<float>(pixel) / 255.0f - kPixelMean) / kPixelDeviation;
}

__global__ void gather_kernel(float4* x, uint8_t* labels, const uchar4* images,
                              const uint8_t* all_labels, const StepState* state) {
  __shared__ uint32_t image;
  const unsigned row = blockIdx.x;
  if (threadIdx.x == 0) {
    image = state->order(state->position + row);
    labels[row] = all_labels[image];
  }
  __syncthreads();
  const uchar4 pixels = images[size_t{image} * kVectors + threadIdx.x];
  x[size_t{row} * kVectors + threadIdx.x] = make_float4(normalised(pixels.x), normalised(pixels.y),
                                                        normalised(pixels.z), normalised(pixels.w));
}

}  // namespace

cudaError_t gather(float* x, uint8_t* labels, const uint8_t* images, const uint8_t* all_labels,
                   const StepState* state, int n, cudaStream_t stream) {
  return launch(gather_kernel, static_cast<size_t>(n), kVectors, stream,
                reinterpret_cast<float4*>(x), labels, reinterpret_cast<const uchar4*>(images),
                all_labels, state);
}

}  // namespace digitron
