// The batch, drawn on the device:
//
//   i = order(position + row)
//   x[row][p] = (images[i][p] / 255 - mean) / deviation,   labels[row] = all_labels[i]
//
// or, augmented, with the pixel at p of image i's random affine map in this epoch, bilinearly
// sampled (host/shared/augment.h), in place of images[i][p].
//
// Reads 784 bytes a sample, writes 3136 of x: 251 KB for a batch of 64. The order is a keyed
// permutation that is computed where it is needed (host/shared/permutation.h), so no index array
// exists; so are the maps. One block a sample: its first thread walks the permutation and draws the
// map, then each thread takes 4 pixels.
#include "kernels/kernels.h"

#include "host/shared/dataset_constants.h"
#include "kernels/launch.h"
#include "kernels/pixel.h"

namespace digitron {

namespace {

constexpr int kVectors = kImagePixels / 4;

// Pixels 4 * i to 4 * i + 3, which lie in one row.
__device__ uchar4 sampled(const uint8_t* image, const AffineMap& map, unsigned i) {
  const int row = static_cast<int>(i) * 4 / kImageSide;
  const int column = static_cast<int>(i) * 4 % kImageSide;
  return make_uchar4(sample(image, map, row, column), sample(image, map, row, column + 1),
                     sample(image, map, row, column + 2), sample(image, map, row, column + 3));
}

template <bool kAugment>
__global__ void gather_kernel(float4* x, uint8_t* labels, const uint8_t* images,
                              const uint8_t* all_labels, const StepState* state,
                              Augmentation augmentation) {
  __shared__ uint32_t image;
  __shared__ AffineMap map;
  const unsigned row = blockIdx.x;
  if (threadIdx.x == 0) {
    image = state->order(state->position + row);
    labels[row] = all_labels[image];
    if (kAugment) map = draw_map(augmentation, state->seed, state->epoch, image);
  }
  __syncthreads();
  const uint8_t* from = images + size_t{image} * kImagePixels;
  const uchar4 pixels = kAugment ? sampled(from, map, threadIdx.x)
                                 : reinterpret_cast<const uchar4*>(from)[threadIdx.x];
  x[size_t{row} * kVectors + threadIdx.x] = make_float4(normalised(pixels.x), normalised(pixels.y),
                                                        normalised(pixels.z), normalised(pixels.w));
}

}  // namespace

cudaError_t gather(float* x, uint8_t* labels, const uint8_t* images, const uint8_t* all_labels,
                   const StepState* state, const Augmentation& augmentation, int n,
                   cudaStream_t stream) {
  static_assert(kImageSide % 4 == 0, "four pixels lie in one row");
  return launch(augmentation.any() ? gather_kernel<true> : gather_kernel<false>,
                static_cast<size_t>(n), kVectors, stream, reinterpret_cast<float4*>(x), labels,
                images, all_labels, state, augmentation);
}

}  // namespace digitron
