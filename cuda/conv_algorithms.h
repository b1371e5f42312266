// Which of cuDNN's algorithms may run a convolution, and which of them to take first.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <string>
#include <vector>

namespace digitron {

enum class ConvDirection { kForward, kBackwardWeights, kBackwardInput };

struct ConvAlgorithm {
  int id;                // in cuDNN's enumeration of the direction
  cudnnMathType_t math;  // that cuDNN means it to run with
  size_t workspace_bytes;
  bool preferred;  // one of the direct sums below
};

struct ConvDescriptors {
  cudnnTensorDescriptor_t x;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
  cudnnTensorDescriptor_t y;
};

// Every algorithm that does the direction in `workspace_limit` bytes, by cuDNN's own word, the
// first choice first. deterministic: only those that give the same bits every time, and of these
// the direct sums first (forward IMPLICIT_PRECOMP_GEMM, then IMPLICIT_GEMM; back ALGO_1), FFT and
// Winograd last: cuDNN ranks them by speed alone, and Winograd loses two digits and takes 3 to 6
// kernels. Otherwise cuDNN's order as it is. Nothing is timed, so every run chooses the same.
// Throws MachineError where none is left.
std::vector<ConvAlgorithm> conv_algorithms(cudnnHandle_t cudnn, const ConvDescriptors& descriptors,
                                           ConvDirection direction, bool deterministic,
                                           size_t workspace_limit);

// "IMPLICIT_PRECOMP_GEMM", "ALGO_1"; "algorithm 9" for one that came after this was written.
std::string algorithm_name(ConvDirection direction, int id);

const char* direction_name(ConvDirection direction);  // "forward"

}  // namespace digitron
