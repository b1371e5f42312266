// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <string>

#include "host/cpu/control_group.h"

namespace digitron {

struct FreeMemory {
  uint64_t bytes;
  std::string text;  // who says so: "of the machine", "of the cgroup (memory.max 1073741824)"
};

// The least of what the machine has available (/proc/meminfo) and what its control groups leave,
// caches of files counted as free. The most there can be where nothing says.
FreeMemory free_memory(const ReadFile& read = read_system_file);

// Throws MachineError when `bytes` are more than are free, saying what `needs` them.
void require_memory(uint64_t bytes, const std::string& needs,
                    const FreeMemory& free = free_memory());

}  // namespace digitron
