// Capture of a stream into a graph, and replay. Edges are not kept: nodes run in the order in which
// they were recorded.
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/stream.h"

using namespace host_cuda;

namespace {

cudaGraphNodeType node_type(Work work) {
  switch (work) {
    case Work::kCopy:
      return cudaGraphNodeTypeMemcpy;
    case Work::kFill:
      return cudaGraphNodeTypeMemset;
    case Work::kKernel:
    case Work::kLibrary:
      break;
  }
  return cudaGraphNodeTypeKernel;
}

void leave_capture(const std::shared_ptr<Capture>& capture) {
  for (const auto& [handle, stream] : handles<CUstream_st>().all())
    if (stream->capture == capture) stream->capture = nullptr;
}

bool is_node(cudaGraphNode_t node) {
  for (const auto& [handle, graph] : handles<CUgraph_st>().all())
    for (const CUgraphNode_st& candidate : graph->nodes)
      if (&candidate == node) return true;
  return false;
}

cudaError_t instantiate(cudaGraphExec_t* exec, cudaGraph_t graph) {
  if (exec == nullptr || !handles<CUgraph_st>().owns(graph)) return cudaErrorInvalidValue;
  CUgraphExec_st fresh;
  for (const CUgraphNode_st& node : graph->nodes) fresh.operations.push_back(node.operation);
  *exec = handles<CUgraphExec_st>().create(std::move(fresh));
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return runtime_call("cudaStreamBeginCapture", [&] {
    if (stream == nullptr)
      return refuse(cudaErrorStreamCaptureUnsupported,
                    "cudaStreamBeginCapture: the null stream cannot be captured");
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    if (stream->capture)
      return refuse(cudaErrorIllegalState, "cudaStreamBeginCapture: the stream is captured");
    stream->capture = std::make_shared<Capture>();
    stream->capture->mode = mode;
    stream->capture->origin = stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return runtime_call("cudaStreamEndCapture", [&] {
    if (graph == nullptr) return cudaErrorInvalidValue;
    *graph = nullptr;
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    const auto capture = capture_of(stream);
    if (!capture) return refuse(cudaErrorIllegalState, "cudaStreamEndCapture: nothing to end");
    if (capture->origin != stream)
      return invalidate(*capture, cudaErrorStreamCaptureUnmatched,
                        "cudaStreamEndCapture: the capture began in another stream");
    leave_capture(capture);
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!capture->unjoined.empty())
      return refuse(cudaErrorStreamCaptureUnjoined,
                    "cudaStreamEndCapture: a stream that joined was not waited for");
    CUgraph_st fresh;
    for (Operation& operation : capture->operations) fresh.nodes.push_back({std::move(operation)});
    *graph = handles<CUgraph_st>().create(std::move(fresh));
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return runtime_call("cudaStreamIsCapturing", [&] {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    const auto capture = capture_of(stream);
    *status = !capture           ? cudaStreamCaptureStatusNone
              : capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  return runtime_call("cudaGraphInstantiate", [&] { return instantiate(exec, graph); });
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long) {
  return runtime_call("cudaGraphInstantiateWithFlags", [&] { return instantiate(exec, graph); });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  return runtime_call("cudaGraphUpload", [&] {
    const bool known = handles<CUgraphExec_st>().owns(exec) && is_stream(stream);
    return known ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return runtime_call("cudaGraphLaunch", [&] {
    if (!handles<CUgraphExec_st>().owns(exec)) return cudaErrorInvalidValue;
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    if (const auto capture = capture_of(stream))
      return invalidate(*capture, cudaErrorStreamCaptureUnsupported,
                        "cudaGraphLaunch: during capture");
    ++device().counters.graph_launches;
    const DeviceAccess access;
    execute(exec->operations);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return runtime_call("cudaGraphGetNodes", [&] {
    if (!handles<CUgraph_st>().owns(graph) || count == nullptr) return cudaErrorInvalidValue;
    if (nodes == nullptr) {
      *count = graph->nodes.size();
      return cudaSuccess;
    }
    for (size_t i = 0; i < *count; ++i)
      nodes[i] = i < graph->nodes.size() ? &graph->nodes[i] : nullptr;
    if (*count > graph->nodes.size()) *count = graph->nodes.size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return runtime_call("cudaGraphNodeGetType", [&] {
    if (!is_node(node)) return cudaErrorInvalidValue;
    *type = node_type(node->operation.work);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return runtime_call("cudaGraphExecDestroy", [&] {
    return handles<CUgraphExec_st>().destroy(exec) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return runtime_call("cudaGraphDestroy", [&] {
    return handles<CUgraph_st>().destroy(graph) ? cudaSuccess : cudaErrorInvalidValue;
  });
}
