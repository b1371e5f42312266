// How every launcher here starts its kernel: cudaLaunchKernelEx and no triple brackets, so that a
// plain C++ compiler can read these files too. Included by .cu files only.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace digitron {

inline constexpr int kThreads = 256;  // of a block whose work does not ask for another size

struct LaunchShape {
  size_t blocks;
  int threads;         // of a block
  size_t shared = 0;   // bytes of dynamic shared memory
  int cluster = 1;     // blocks of a cluster
  bool early = false;  // starts before the kernel in front has ended: see dependent_launch.h
};

template <class... Parameters, class... Arguments>
cudaError_t launch(const LaunchShape& shape, void (*kernel)(Parameters...), cudaStream_t stream,
                   const Arguments&... arguments) {
  cudaLaunchAttribute attributes[2];
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(shape.blocks));
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared;
  config.stream = stream;
  config.attrs = attributes;
  if (shape.cluster > 1) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = static_cast<unsigned>(shape.cluster);
    attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  }
  if (shape.early) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), size_t blocks, int threads, cudaStream_t stream,
                   const Arguments&... arguments) {
  return launch({blocks, threads}, kernel, stream, arguments...);
}

// Blocks that cover `count` elements.
constexpr size_t blocks_for(size_t count, int threads) {
  const auto width = static_cast<size_t>(threads);
  return (count + width - 1) / width;
}

}  // namespace digitron
