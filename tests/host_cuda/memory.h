// Device memory: separate mappings that the host cannot read, filled with NaN, with guards around.
#pragma once

#include <cstddef>
#include <string>

namespace host_cuda {

// What an operation reads or writes.
struct Range {
  const void* begin;
  size_t bytes;
};

// Is the whole range inside one live allocation on the device, or of pinned host memory?
bool on_device(Range range);
bool is_pinned(Range range);
// Does any byte of the range lie in device memory?
bool touches_device(Range range);
inline bool device_can_access(Range range) {
  return on_device(range) || is_pinned(range);
}

// Opens device memory to this process while an operation runs; nests. check_guards() at its end
// says which bytes outside the allocations were written, or nothing.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
  std::string check_guards() const;
};

size_t live_allocations();
void free_all_memory();

// Every byte of fresh memory: a float of these is NaN, an int -1.
constexpr int kPoison = 0xFF;

}  // namespace host_cuda
