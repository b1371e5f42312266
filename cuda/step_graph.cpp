#include "cuda/step_graph.h"

#include "cuda/check.h"
#include "cuda/nvtx.h"

namespace digitron {

namespace {

using Graph = Unique<cudaGraph_t, cudaGraphDestroy>;

Graph record(cudaStream_t stream, const std::function<void()>& enqueue) {
  const NvtxRange range(range_names().record_graph);
  Graph graph;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  try {
    enqueue();
  } catch (...) {
    static_cast<void>(cudaStreamEndCapture(stream, graph.out()));  // enqueue's error says more
    throw;
  }
  check(cudaStreamEndCapture(stream, graph.out()), "cudaStreamEndCapture");
  return graph;
}

}  // namespace

void StepGraph::run(cudaStream_t stream, const std::function<void()>& enqueue) {
  if (!warm_) {
    enqueue();
    warm_ = true;
    return;
  }
  if (!executable_) {
    const Graph graph = record(stream, enqueue);
    check(cudaGraphInstantiate(executable_.out(), graph.get(), 0), "cudaGraphInstantiate");
  }
  check(cudaGraphLaunch(executable_.get(), stream), "cudaGraphLaunch");
}

}  // namespace digitron
