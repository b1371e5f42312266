// Backward through a folded ReLU and to the bias, in one pass over dy:
//
//   dy[n][c][p] = y[n][c][p] > 0 ? dy[n][c][p] : 0        where a ReLU was folded in
//   db[c]       = sum over n, p of dy[n][c][p]
//
// Reads 8 bytes an element and writes 4, or only reads 4. A block sums one channel over a slice of
// the samples. Where a channel is one slice (linear layers, small images) that is the result;
// otherwise a second kernel adds the slices in their order, so that no atomic decides the rounding.
#include "kernels/kernels.h"

#include "kernels/block_sum.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

constexpr unsigned kSliceElements = 4096;  // 16 a thread; LeNet-5's conv1 makes 78 blocks of them

unsigned samples_a_slice(int plane) {
  const unsigned samples = kSliceElements / static_cast<unsigned>(plane);
  return samples > 0 ? samples : 1;
}

unsigned slices_of(int n, int plane) {
  const unsigned samples = samples_a_slice(plane);
  return (static_cast<unsigned>(n) + samples - 1) / samples;
}

// sums (channels, slices): what block (channel, slice) adds up.
template <bool kRelu>
__global__ void bias_gradient_kernel(float* sums, float* dy, const float* y, unsigned n,
                                     unsigned channels, unsigned plane, unsigned slices,
                                     unsigned slice_samples) {
  const unsigned channel = blockIdx.x / slices;
  const unsigned first = blockIdx.x % slices * slice_samples;
  const unsigned samples = n - first < slice_samples ? n - first : slice_samples;
  float sum = 0;
  for (unsigned i = threadIdx.x; i < samples * plane; i += blockDim.x) {
    const size_t at = (size_t{first + i / plane} * channels + channel) * plane + i % plane;
    float d = dy[at];
    if (kRelu) {
      d = y[at] > 0.0f ? d : 0.0f;
      dy[at] = d;
    }
    sum += d;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void add_slices_kernel(float* db, const float* sums, unsigned slices) {
  float sum = 0;
  for (unsigned i = threadIdx.x; i < slices; i += blockDim.x) {
    sum += sums[size_t{blockIdx.x} * slices + i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) db[blockIdx.x] = sum;
}

}  // namespace

size_t bias_partials(int n, int channels, int plane) {
  return static_cast<size_t>(channels) * slices_of(n, plane);
}

cudaError_t bias_gradient(float* db, float* dy, float* partials, const float* y, int n,
                          int channels, int plane, cudaStream_t stream) {
  const unsigned slices = slices_of(n, plane);
  const unsigned samples = samples_a_slice(plane);
  const int threads = n * static_cast<int64_t>(plane) <= 64 ? 64 : kThreads;
  const cudaError_t status =
      launch(y ? bias_gradient_kernel<true> : bias_gradient_kernel<false>,
             static_cast<size_t>(channels) * slices, threads, stream, slices == 1 ? db : partials,
             dy, y, static_cast<unsigned>(n), static_cast<unsigned>(channels),
             static_cast<unsigned>(plane), slices, samples);
  if (status != cudaSuccess || slices == 1) return status;
  return launch(add_slices_kernel, static_cast<size_t>(channels),
                slices <= kWarp ? kWarp : kThreads, stream, db, partials, slices);
}

}  // namespace digitron
