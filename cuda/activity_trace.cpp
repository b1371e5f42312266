#include "cuda/activity_trace.h"

#include <algorithm>
#include <new>
#include <string>

#include "cuda/nvtx.h"
#include "host/core/error.h"

namespace digitron {

namespace {

constexpr size_t kBufferBytes = size_t{4} << 20;
constexpr std::align_val_t kBufferAlignment{8};  // as CUPTI asks for

ActivityTrace* present = nullptr;  // CUPTI's buffers come without a pointer of ours

void check(cupti::Result result, const char* call) {
  if (result == 0) return;
  const char* text = nullptr;
  if (cupti::library().get_result_string(result, &text) != 0) text = "unknown error";
  throw MachineError(std::string(call) + " failed: " + text +
                     "; run it without another profiler, or take --with nsys");
}

void give_buffer(uint8_t** buffer, size_t* bytes, size_t* most_records) {
  *buffer = static_cast<uint8_t*>(::operator new(kBufferBytes, kBufferAlignment));
  *bytes = kBufferBytes;
  *most_records = 0;  // as many as fit
}

void enable_calls(cupti::Subscriber* subscriber, bool on) {
  for (const uint32_t domain : {cupti::kDriverCalls, cupti::kRuntimeCalls}) {
    check(cupti::library().enable_domain(on, subscriber, domain), "cuptiEnableDomain");
  }
}

}  // namespace

ActivityTrace::ActivityTrace() {
  const cupti::Library& library = cupti::library();
  check(library.subscribe(&subscriber_, on_call, this), "cuptiSubscribe");
  present = this;
  try {
    for (const uint32_t event : {cupti::kNodeCreated, cupti::kNodeCloned}) {
      check(library.enable_callback(1, subscriber_, cupti::kResources, event),
            "cuptiEnableCallback");
    }
    check(library.register_buffers(give_buffer, on_buffer), "cuptiActivityRegisterCallbacks");
  } catch (...) {
    library.unsubscribe(subscriber_);
    throw;
  }
}

ActivityTrace::~ActivityTrace() {
  cupti::library().unsubscribe(subscriber_);
  present = nullptr;
}

void ActivityTrace::start() {
  enable_calls(subscriber_, true);
  check(cupti::library().enable_activity(cupti::kConcurrentKernel), "cuptiActivityEnable");
}

void ActivityTrace::stop() {
  check(cupti::library().disable_activity(cupti::kConcurrentKernel), "cuptiActivityDisable");
  enable_calls(subscriber_, false);
  check(cupti::library().flush_all(0), "cuptiActivityFlushAll");
}

void ActivityTrace::on_call(void* trace, uint32_t domain, uint32_t event, const void* data) {
  auto& self = *static_cast<ActivityTrace*>(trace);
  if (domain == cupti::kResources) {
    return self.note(event, *static_cast<const cupti::ResourceData*>(data)->graph);
  }
  const auto& call = *static_cast<const cupti::CallData*>(data);
  const RangeName* range = NvtxRange::innermost();
  if (call.site != 0 || !range) return;
  const std::lock_guard lock(self.mutex_);
  self.of_calls_[call.correlation_id] = {range->text(), range->category()};
}

void ActivityTrace::note(uint32_t event, const cupti::GraphData& graph) {
  const cupti::Library& library = cupti::library();
  uint64_t id = 0, original = 0;
  if (library.get_graph_node_id(graph.node, &id) != 0) return;
  const std::lock_guard lock(mutex_);
  if (event == cupti::kNodeCreated) {
    if (const RangeName* range = NvtxRange::innermost()) {
      of_nodes_[id] = {range->text(), range->category()};
    }
  } else if (library.get_graph_node_id(graph.original_node, &original) == 0) {
    const auto found = of_nodes_.find(original);
    if (found != of_nodes_.end()) of_nodes_[id] = found->second;
  }
}

void ActivityTrace::on_buffer(void*, uint32_t, uint8_t* buffer, size_t, size_t valid_bytes) {
  const uint32_t* record = nullptr;
  while (present && cupti::library().get_next_record(buffer, valid_bytes, &record) == 0) {
    if (*record != cupti::kConcurrentKernel) continue;
    const auto& kernel = *reinterpret_cast<const cupti::Kernel*>(record);
    const std::lock_guard lock(present->mutex_);
    present->runs_.push_back({kernel.name, kernel.stream, kernel.correlation_id,
                              kernel.graph_node_id, kernel.start_ns, kernel.end_ns});
  }
  ::operator delete(buffer, kBufferAlignment);
}

const ActivityTrace::Name* ActivityTrace::name_of(const Run& run) const {
  const Names& names = run.node != 0 ? of_nodes_ : of_calls_;
  const auto found = names.find(run.node != 0 ? run.node : run.correlation);
  return found == names.end() ? nullptr : &found->second;
}

std::vector<TraceEvent> ActivityTrace::events() const {
  const std::lock_guard lock(mutex_);
  std::vector<Run> runs = runs_;
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.start_ns < b.start_ns; });
  std::vector<TraceEvent> events;
  for (const Run& run : runs) {
    const Name* name = name_of(run);
    events.push_back({.lane = "stream " + std::to_string(run.stream),
                      .name = name ? name->text + ": " + run.kernel : run.kernel,
                      .category = name ? name->category : "",
                      .begin_seconds = 1e-9 * static_cast<double>(run.start_ns - runs[0].start_ns),
                      .seconds = 1e-9 * static_cast<double>(run.end_ns - run.start_ns)});
  }
  return events;
}

}  // namespace digitron
