// How every launcher here starts its kernel: cudaLaunchKernelEx and no triple brackets, so that a
// plain C++ compiler can read these files too. Included by .cu files only.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace digitron {

inline constexpr int kThreads = 256;  // of a block whose work does not ask for another size

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), size_t blocks, int threads, cudaStream_t stream,
                   Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

// Blocks that cover `count` elements.
constexpr size_t blocks_for(size_t count, int threads) {
  const auto width = static_cast<size_t>(threads);
  return (count + width - 1) / width;
}

}  // namespace digitron
