// The part of NVIDIA's CUPTI that a trace takes, declared after cupti_activity.h and
// cupti_callbacks.h of CUDA 13.0: a toolkit may lack these headers, and a program the library. Of
// the records, what CUDA 10.1 and later have in common.
#pragma once

#include <cstddef>
#include <cstdint>

namespace digitron::cupti {

using Result = int;  // CUptiResult: 0 is success
using Node = void*;  // CUgraphNode
struct Subscriber;

// CUpti_CallbackDomain, of which the program's own are: calls of the driver and the runtime, and
// what they make.
enum Domain : uint32_t { kDriverCalls = 1, kRuntimeCalls = 2, kResources = 3 };
// CUpti_CallbackIdResource.
enum ResourceEvent : uint32_t { kNodeCreated = 13, kNodeCloned = 20 };
// CUpti_ActivityKind.
enum ActivityKind : uint32_t { kConcurrentKernel = 10 };

struct CallData {  // CUpti_CallbackData
  uint32_t site;   // 0: the call begins
  const char* function;
  const void* parameters;
  const void* result;
  const char* symbol;
  void* context;
  uint32_t context_id;
  uint64_t* correlation_data;
  uint32_t correlation_id;
};

struct GraphData {  // CUpti_GraphData, as far as it is used
  void* graph;
  void* original_graph;
  Node node;
  Node original_node;
};

struct ResourceData {  // CUpti_ResourceData
  void* context;
  void* stream;
  const GraphData* graph;  // of events of graphs
};

struct Kernel {  // CUpti_ActivityKernel5 and later, as far as it is used
  uint32_t kind;
  uint8_t cache_config;
  uint8_t shared_memory_config;
  uint16_t registers;
  uint32_t partitioned_cache[2];
  uint64_t start_ns, end_ns, completed_ns;
  uint32_t device, context, stream;
  int32_t grid[3], block[3];
  int32_t static_shared_bytes, dynamic_shared_bytes;
  uint32_t local_bytes_per_thread, local_bytes;
  uint32_t correlation_id;
  int64_t grid_id;
  const char* name;
  void* reserved;
  uint64_t queued_ns, submitted_ns;
  uint8_t launch[4];
  uint32_t shared_bytes_executed;
  uint64_t graph_node_id;  // 0: of no graph
};

using Callback = void (*)(void* data, uint32_t domain, uint32_t event, const void* call);
using BufferRequested = void (*)(uint8_t** buffer, size_t* bytes, size_t* most_records);
using BufferCompleted = void (*)(void* context, uint32_t stream, uint8_t* buffer, size_t bytes,
                                 size_t valid_bytes);

// The library's functions. Each is named as there, after "cupti".
struct Library {
  Result (*subscribe)(Subscriber** subscriber, Callback callback, void* data);
  Result (*unsubscribe)(Subscriber* subscriber);
  Result (*enable_callback)(uint32_t on, Subscriber* subscriber, uint32_t domain, uint32_t event);
  Result (*enable_domain)(uint32_t on, Subscriber* subscriber, uint32_t domain);
  Result (*get_graph_node_id)(Node node, uint64_t* id);
  Result (*register_buffers)(BufferRequested requested, BufferCompleted completed);
  Result (*enable_activity)(uint32_t kind);
  Result (*disable_activity)(uint32_t kind);
  Result (*flush_all)(uint32_t flags);
  Result (*get_result_string)(Result result, const char** text);
  Result (*get_next_record)(uint8_t* buffer, size_t valid_bytes, const uint32_t** record);
};

// Loaded once; throws InputError where it does not load.
const Library& library();

}  // namespace digitron::cupti
