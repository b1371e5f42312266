#include "cuda/conv_algorithms.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "cuda/check.h"
#include "host/core/error.h"

namespace digitron {

namespace {

// An algorithm as it stands in the order of choice: the lower, the sooner.
enum Rank { kFirst, kSecond, kOther, kTransform };

struct Known {
  int id;
  const char* name;
  Rank rank;
};

constexpr Known kForwardAlgorithms[] = {
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, "IMPLICIT_PRECOMP_GEMM", kFirst},
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, "IMPLICIT_GEMM", kSecond},
    {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, "GEMM", kOther},
    {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, "DIRECT", kOther},
    {CUDNN_CONVOLUTION_FWD_ALGO_FFT, "FFT", kTransform},
    {CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING, "FFT_TILING", kTransform},
    {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, "WINOGRAD", kTransform},
    {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, "WINOGRAD_NONFUSED", kTransform}};

constexpr Known kBackwardWeightsAlgorithms[] = {
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, "ALGO_1", kFirst},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, "ALGO_0", kOther},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, "ALGO_3", kOther},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, "FFT", kTransform},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, "FFT_TILING", kTransform},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD, "WINOGRAD", kTransform},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, "WINOGRAD_NONFUSED", kTransform}};

constexpr Known kBackwardInputAlgorithms[] = {
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, "ALGO_1", kFirst},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, "ALGO_0", kOther},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, "FFT", kTransform},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING, "FFT_TILING", kTransform},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, "WINOGRAD", kTransform},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, "WINOGRAD_NONFUSED", kTransform}};

std::span<const Known> known_algorithms(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::kForward:
      return kForwardAlgorithms;
    case ConvDirection::kBackwardWeights:
      return kBackwardWeightsAlgorithms;
    default:
      return kBackwardInputAlgorithms;
  }
}

const Known* find_known(ConvDirection direction, int id) {
  for (const Known& known : known_algorithms(direction)) {
    if (known.id == id) return &known;
  }
  return nullptr;
}

Rank rank_of(ConvDirection direction, int id) {
  const Known* known = find_known(direction, id);
  return known ? known->rank : kTransform;
}

// list(count, &returned, perfs) fills in cuDNN's candidates, best first; size(algorithm, &bytes)
// says what one takes with these descriptors, or that it cannot do them.
template <class Perf, size_t kCount, class List, class Size>
std::vector<ConvAlgorithm> candidates(ConvDirection direction, bool deterministic, const char* call,
                                      const List& list, const Size& size) {
  std::array<Perf, kCount> perfs;
  int returned = 0;
  check(list(static_cast<int>(kCount), &returned, perfs.data()), call);
  std::vector<ConvAlgorithm> algorithms;
  for (const Perf& perf : std::span(perfs).first(static_cast<size_t>(returned))) {
    if (perf.status != CUDNN_STATUS_SUCCESS) continue;
    if (deterministic && perf.determinism != CUDNN_DETERMINISTIC) continue;
    size_t bytes = 0;
    if (size(perf.algo, &bytes) != CUDNN_STATUS_SUCCESS) continue;
    algorithms.push_back(
        {perf.algo, perf.mathType, bytes, rank_of(direction, perf.algo) <= kSecond});
  }
  return algorithms;
}

std::vector<ConvAlgorithm> forward_candidates(cudnnHandle_t cudnn, const ConvDescriptors& d,
                                              bool deterministic) {
  return candidates<cudnnConvolutionFwdAlgoPerf_t, CUDNN_CONVOLUTION_FWD_ALGO_COUNT>(
      ConvDirection::kForward, deterministic, "cudnnGetConvolutionForwardAlgorithm_v7",
      [&](int count, int* returned, auto* perfs) {
        return cudnnGetConvolutionForwardAlgorithm_v7(cudnn, d.x, d.w, d.conv, d.y, count, returned,
                                                      perfs);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(cudnn, d.x, d.w, d.conv, d.y, algorithm,
                                                       bytes);
      });
}

std::vector<ConvAlgorithm> backward_weights_candidates(cudnnHandle_t cudnn,
                                                       const ConvDescriptors& d,
                                                       bool deterministic) {
  return candidates<cudnnConvolutionBwdFilterAlgoPerf_t, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT>(
      ConvDirection::kBackwardWeights, deterministic,
      "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
      [&](int count, int* returned, auto* perfs) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn, d.x, d.y, d.conv, d.w, count,
                                                             returned, perfs);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn, d.x, d.y, d.conv, d.w,
                                                              algorithm, bytes);
      });
}

std::vector<ConvAlgorithm> backward_input_candidates(cudnnHandle_t cudnn, const ConvDescriptors& d,
                                                     bool deterministic) {
  return candidates<cudnnConvolutionBwdDataAlgoPerf_t, CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT>(
      ConvDirection::kBackwardInput, deterministic, "cudnnGetConvolutionBackwardDataAlgorithm_v7",
      [&](int count, int* returned, auto* perfs) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn, d.w, d.y, d.conv, d.x, count,
                                                           returned, perfs);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn, d.w, d.y, d.conv, d.x, algorithm,
                                                            bytes);
      });
}

}  // namespace

std::vector<ConvAlgorithm> conv_algorithms(cudnnHandle_t cudnn, const ConvDescriptors& descriptors,
                                           ConvDirection direction, bool deterministic,
                                           size_t workspace_limit) {
  std::vector<ConvAlgorithm> algorithms =
      direction == ConvDirection::kForward ? forward_candidates(cudnn, descriptors, deterministic)
      : direction == ConvDirection::kBackwardWeights
          ? backward_weights_candidates(cudnn, descriptors, deterministic)
          : backward_input_candidates(cudnn, descriptors, deterministic);
  std::erase_if(algorithms, [&](const ConvAlgorithm& algorithm) {
    return algorithm.workspace_bytes > workspace_limit;
  });
  if (algorithms.empty()) {
    throw MachineError("cuDNN offers no " + std::string(deterministic ? "deterministic " : "") +
                       direction_name(direction) + " convolution in " +
                       std::to_string(workspace_limit >> 20) + " MiB of workspace");
  }
  if (deterministic) {
    std::stable_sort(algorithms.begin(), algorithms.end(),
                     [&](const ConvAlgorithm& a, const ConvAlgorithm& b) {
                       return rank_of(direction, a.id) < rank_of(direction, b.id);
                     });
  }
  return algorithms;
}

std::string algorithm_name(ConvDirection direction, int id) {
  const Known* known = find_known(direction, id);
  return known ? known->name : "algorithm " + std::to_string(id);
}

const char* direction_name(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::kForward:
      return "forward";
    case ConvDirection::kBackwardWeights:
      return "backward weights";
    default:
      return "backward input";
  }
}

}  // namespace digitron
