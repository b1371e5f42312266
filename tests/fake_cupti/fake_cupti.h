// In place of NVIDIA's CUPTI: tests say what happens on the device, and it tells what listens.
#pragma once

#include <cstdint>

extern "C" {

// Nodes are numbers here, and these are their ids.
void fake_cupti_node_created(uint64_t node);
void fake_cupti_node_cloned(uint64_t node, uint64_t original);
// A call of the runtime.
void fake_cupti_call(uint32_t correlation_id);
// A kernel that has run; node: 0 outside graphs.
void fake_cupti_kernel(const char* name, uint32_t stream, uint64_t start_ns, uint64_t end_ns,
                       uint32_t correlation_id, uint64_t node);
// What the next cuptiSubscribe answers.
void fake_cupti_fail(int result);
}
