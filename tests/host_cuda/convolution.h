// The shape of one convolution, its arithmetic, and the algorithms that cuDNN would offer for it.
#pragma once

#include <optional>
#include <vector>

#include "tests/host_cuda/cudnn_descriptors.h"

namespace host_cuda {

struct Convolution {
  cudnnConvolutionStruct descriptor;
  Dims x;  // n c h w
  Dims w;  // k c r s
  Dims y;  // n k h w

  bool tf32() const { return descriptor.math != CUDNN_FMA_MATH; }
};

// Nothing when a descriptor is missing or they do not match.
std::optional<Convolution> match(cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                                 cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y);
Dims output_dims(const cudnnConvolutionStruct& conv, const Dims& x, const Dims& w);

// Dense tensors in, dense tensor out, NaN for NaN. first_image: where the sums over images start;
// they go round from there.
std::vector<float> convolve(const Convolution& c, std::vector<float> x, std::vector<float> w);
std::vector<float> convolve_backward_data(const Convolution& c, std::vector<float> dy,
                                          std::vector<float> w, bool reversed);
std::vector<float> convolve_backward_filter(const Convolution& c, std::vector<float> x,
                                            std::vector<float> dy, int first_image);

struct Algorithm {
  int id;
  bool deterministic;
  bool supported;
  size_t workspace_bytes;
  bool inexact = false;  // off by 1e-5, as Winograd's transforms make it
};

enum class Direction { kForward, kBackwardData, kBackwardFilter };

// Best first, in cuDNN's opinion: Winograd for small kernels, some that need a workspace, some that
// are not deterministic.
std::vector<Algorithm> algorithms(Direction direction, const Convolution& c);

// Nothing when cuDNN does not have it or cannot use it here.
std::optional<Algorithm> find_algorithm(Direction direction, const Convolution& c, int id);

}  // namespace host_cuda
