// The batch, drawn on the device:
//
//   i = order(position + row)
//   x[row][p] = (images[i][p] / 255 - mean) / deviation,   labels[row] = all_labels[i]
//
// or, augmented, with the pixel at p of image i's random affine map in this epoch, bilinearly
// sampled (host/shared/augment.h), in place of images[i][p].
//
// with the mean and the deviation of p's channel. Reads 784 bytes a sample of MNIST, writes 3136 of
// x: 251 KB for a batch of 64. The order is a keyed permutation that is computed where it is needed
// (host/shared/permutation.h), so no index array exists; so are the maps. One block a sample: its
// first thread walks the permutation and draws the map, then each thread takes 4 pixels at once, or
// one where rows are not made of fours.
#include "kernels/kernels.h"

#include "kernels/launch.h"
#include "kernels/pixel.h"

namespace digitron {

namespace {

constexpr int kMostThreads = 1024;

// Pixels first to first + 3 of an image, which lie in one row.
__device__ uchar4 sampled(const uint8_t* image, const PixelForm& form, const AffineMap& map,
                          int first) {
  const int channel = first / form.plane();
  const uint8_t* plane = image + channel * form.plane();
  const int row = first % form.plane() / form.width;
  const int column = first % form.width;
  return make_uchar4(
      sample(plane, form, map, row, column), sample(plane, form, map, row, column + 1),
      sample(plane, form, map, row, column + 2), sample(plane, form, map, row, column + 3));
}

template <bool kAugment>
__device__ void copy_four(float* x, const uint8_t* image, const PixelForm& form,
                          const AffineMap& map, int first) {
  const uchar4 pixels =
      kAugment ? sampled(image, form, map, first) : *reinterpret_cast<const uchar4*>(image + first);
  const int channel = form.channels == 1 ? 0 : first / form.plane();
  *reinterpret_cast<float4*>(x + first) =
      make_float4(normalised(pixels.x, form, channel), normalised(pixels.y, form, channel),
                  normalised(pixels.z, form, channel), normalised(pixels.w, form, channel));
}

template <bool kAugment>
__device__ void copy_one(float* x, const uint8_t* image, const PixelForm& form,
                         const AffineMap& map, int at) {
  const int channel = at / form.plane();
  const uint8_t* plane = image + channel * form.plane();
  const int in_plane = at % form.plane();
  const uint8_t pixel = kAugment
                            ? sample(plane, form, map, in_plane / form.width, in_plane % form.width)
                            : plane[in_plane];
  x[at] = normalised(pixel, form, channel);
}

template <bool kAugment, int kTogether>
__global__ void gather_kernel(float* x, uint8_t* labels, const uint8_t* images,
                              const uint8_t* all_labels, const StepState* state, PixelForm form,
                              Augmentation augmentation) {
  __shared__ uint32_t image;
  __shared__ AffineMap map;
  const unsigned row = blockIdx.x;
  if (threadIdx.x == 0) {
    image = state->order(state->position + row);
    labels[row] = all_labels[image];
    if (kAugment) map = draw_map(augmentation, form, state->seed, state->epoch, image);
  }
  __syncthreads();
  const int pixels = form.count();
  const uint8_t* from = images + size_t{image} * static_cast<size_t>(pixels);
  float* to = x + size_t{row} * static_cast<size_t>(pixels);
  for (int i = static_cast<int>(threadIdx.x) * kTogether; i < pixels;
       i += static_cast<int>(blockDim.x) * kTogether) {
    if (kTogether == 4) {
      copy_four<kAugment>(to, from, form, map, i);
    } else {
      copy_one<kAugment>(to, from, form, map, i);
    }
  }
}

}  // namespace

cudaError_t gather(float* x, uint8_t* labels, const uint8_t* images, const uint8_t* all_labels,
                   const StepState* state, const PixelForm& form, const Augmentation& augmentation,
                   int n, cudaStream_t stream) {
  const bool augments = augmentation.any();
  const int together = form.width % 4 == 0 ? 4 : 1;
  const auto fours = augments ? gather_kernel<true, 4> : gather_kernel<false, 4>;
  const auto ones = augments ? gather_kernel<true, 1> : gather_kernel<false, 1>;
  const int threads =
      form.count() / together < kMostThreads ? form.count() / together : kMostThreads;
  return launch(together == 4 ? fours : ones, static_cast<size_t>(n), threads, stream, x, labels,
                images, all_labels, state, form, augmentation);
}

}  // namespace digitron
