// The kernels that a GPU runs, as a timeline with the names of layers (CUPTI).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/cupti.h"
#include "host/core/profile.h"

namespace digitron {

// A kernel is named after the innermost range (cuda/nvtx.h) around the call that launched it; one
// of a graph, after the range around the recording of its node, which the graph that runs has a
// clone of. There is one trace at a time.
class ActivityTrace {
 public:
  // From here on the nodes of graphs are noted. Throws InputError without CUPTI, and MachineError,
  // as start and stop do.
  ActivityTrace();
  ~ActivityTrace();
  ActivityTrace(const ActivityTrace&) = delete;
  ActivityTrace& operator=(const ActivityTrace&) = delete;

  // Kernels launched between these are on the timeline. The device must be idle.
  void start();
  void stop();

  // In the order in which they began, a lane a stream, from the first one's beginning on.
  std::vector<TraceEvent> events() const;

 private:
  struct Run {
    std::string kernel;
    uint32_t stream, correlation;
    uint64_t node, start_ns, end_ns;
  };
  struct Name {
    std::string text;
    std::string category;
  };
  using Names = std::unordered_map<uint64_t, Name>;

  static void on_call(void* trace, uint32_t domain, uint32_t event, const void* data);
  static void on_buffer(void*, uint32_t, uint8_t* buffer, size_t, size_t valid_bytes);
  void note(uint32_t event, const cupti::GraphData& graph);
  const Name* name_of(const Run& run) const;

  cupti::Subscriber* subscriber_ = nullptr;
  mutable std::mutex mutex_;  // CUPTI has a thread of its own for buffers
  Names of_nodes_;            // by the node's id
  Names of_calls_;            // by the call's correlation id
  std::vector<Run> runs_;
};

}  // namespace digitron
