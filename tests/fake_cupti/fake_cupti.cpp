#include "tests/fake_cupti/fake_cupti.h"

#include <cstring>
#include <utility>
#include <vector>

#include "cuda/cupti.h"

using namespace digitron::cupti;

namespace {

constexpr int kMostReached = 12;                      // CUPTI_ERROR_MAX_LIMIT_REACHED
constexpr size_t kKernelBytes = sizeof(Kernel) + 64;  // of a version with more members
constexpr size_t kOtherBytes = 24;
constexpr uint32_t kOther = 39;

struct Listener {
  Callback callback = nullptr;
  void* data = nullptr;
  bool calls = false, nodes = false, kernels = false;
  BufferRequested requested = nullptr;
  BufferCompleted completed = nullptr;
  std::vector<std::vector<uint8_t>> records;
};
Listener listener;
int failure = 0;

template <class Record>
void add(const Record& record, size_t bytes) {
  listener.records.emplace_back(bytes);
  std::memcpy(listener.records.back().data(), &record, sizeof record);
}

void tell_of_node(uint32_t event, uint64_t node, uint64_t original) {
  if (!listener.nodes) return;
  const GraphData graph{nullptr, nullptr, reinterpret_cast<Node>(node),
                        reinterpret_cast<Node>(original)};
  const ResourceData resource{nullptr, nullptr, &graph};
  listener.callback(listener.data, kResources, event, &resource);
}

size_t bytes_of(const uint8_t* record) {
  uint32_t kind = 0;
  std::memcpy(&kind, record, sizeof kind);
  return kind == kConcurrentKernel ? kKernelBytes : kOtherBytes;
}

}  // namespace

extern "C" {

void fake_cupti_node_created(uint64_t node) {
  tell_of_node(kNodeCreated, node, 0);
}

void fake_cupti_node_cloned(uint64_t node, uint64_t original) {
  tell_of_node(kNodeCloned, node, original);
}

void fake_cupti_call(uint32_t correlation_id) {
  if (!listener.calls) return;
  CallData call{};
  call.correlation_id = correlation_id;
  for (const uint32_t site : {0u, 1u}) {
    call.site = site;
    listener.callback(listener.data, kRuntimeCalls, 1, &call);
  }
}

void fake_cupti_kernel(const char* name, uint32_t stream, uint64_t start_ns, uint64_t end_ns,
                       uint32_t correlation_id, uint64_t node) {
  if (!listener.kernels) return;
  const uint32_t other[6] = {kOther};
  add(other, kOtherBytes);
  Kernel kernel{};
  kernel.kind = kConcurrentKernel;
  kernel.name = name;
  kernel.stream = stream;
  kernel.start_ns = start_ns;
  kernel.end_ns = end_ns;
  kernel.correlation_id = correlation_id;
  kernel.graph_node_id = node;
  add(kernel, kKernelBytes);
}

void fake_cupti_fail(int result) {
  failure = result;
}

Result cuptiGetResultString(Result result, const char** text) {
  *text = result == 39 ? "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED" : nullptr;
  return *text == nullptr ? 1 : 0;
}

Result cuptiSubscribe(Subscriber** subscriber, Callback callback, void* data) {
  if (failure != 0) return std::exchange(failure, 0);
  listener = {};
  listener.callback = callback;
  listener.data = data;
  *subscriber = reinterpret_cast<Subscriber*>(&listener);
  return 0;
}

Result cuptiUnsubscribe(Subscriber*) {
  listener = {};
  return 0;
}

Result cuptiEnableCallback(uint32_t on, Subscriber*, uint32_t domain, uint32_t) {
  if (domain == kResources) listener.nodes = on != 0;
  return 0;
}

Result cuptiEnableDomain(uint32_t on, Subscriber*, uint32_t domain) {
  if (domain == kRuntimeCalls) listener.calls = on != 0;
  return 0;
}

Result cuptiGetGraphNodeId(Node node, uint64_t* id) {
  *id = reinterpret_cast<uint64_t>(node);
  return 0;
}

Result cuptiActivityRegisterCallbacks(BufferRequested requested, BufferCompleted completed) {
  listener.requested = requested;
  listener.completed = completed;
  return 0;
}

Result cuptiActivityEnable(uint32_t kind) {
  if (kind == kConcurrentKernel) listener.kernels = true;
  return 0;
}

Result cuptiActivityDisable(uint32_t kind) {
  if (kind == kConcurrentKernel) listener.kernels = false;
  return 0;
}

Result cuptiActivityFlushAll(uint32_t) {
  uint8_t* buffer = nullptr;
  size_t bytes = 0, most = 0, used = 0;
  listener.requested(&buffer, &bytes, &most);
  for (const std::vector<uint8_t>& record : listener.records) {
    std::memcpy(buffer + used, record.data(), record.size());
    used += record.size();
  }
  listener.records.clear();
  listener.completed(nullptr, 0, buffer, bytes, used);
  return 0;
}

Result cuptiActivityGetNextRecord(uint8_t* buffer, size_t valid_bytes, const uint32_t** record) {
  const auto* at = reinterpret_cast<const uint8_t*>(*record);
  at = at == nullptr ? buffer : at + bytes_of(at);
  if (at >= buffer + valid_bytes) return kMostReached;
  *record = reinterpret_cast<const uint32_t*>(at);
  return 0;
}
}
