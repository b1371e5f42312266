// A sequence of launches recorded once and replayed with one call.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

#include "cuda/unique.h"

namespace digitron {

class StepGraph {
 public:
  // Puts what `enqueue` enqueues on the stream: by calling it the first time, which loads its
  // kernels (capture is no place for that), by recording it the second time, and by one graph
  // launch from then on. `enqueue` must be the same every time, and neither allocate nor wait.
  void run(cudaStream_t stream, const std::function<void()>& enqueue);

 private:
  bool warm_ = false;
  Unique<cudaGraphExec_t, cudaGraphExecDestroy> executable_;
};

}  // namespace digitron
