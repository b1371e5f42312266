#include "tests/host_cuda/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/host_cuda/device.h"
#include "tests/host_cuda/sanitizers.h"
#include "tests/host_cuda/stream.h"

namespace host_cuda {
namespace {

// [closed page][bytes, guard bytes up to the page's end][closed page]
struct Allocation {
  std::byte* mapping;
  size_t mapped_bytes;
  std::byte* begin;
  size_t bytes;

  std::byte* end() const { return begin + bytes; }
  size_t guard_bytes() const { return mapped_bytes - (begin - mapping) - bytes - page(); }
  static size_t page() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }
};

using Allocations = std::map<uintptr_t, Allocation>;

constexpr int kGuard = 0xA5;
Allocations device_memory;
std::map<uintptr_t, size_t> pinned_memory;
size_t used_bytes = 0;
size_t limit_bytes = kMemoryBytes;
int open_count = 0;

uintptr_t address(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

void set_protection(int protection) {
  for (const auto& [begin, a] : device_memory)
    mprotect(a.begin, a.mapped_bytes - 2 * Allocation::page(), protection);
}

// The last entry that begins at or before the address.
template <typename Map>
typename Map::const_iterator entry_at(const Map& map, uintptr_t where) {
  auto next = map.upper_bound(where);
  return next == map.begin() ? map.end() : std::prev(next);
}

void* allocate(size_t bytes) {
  const size_t page = Allocation::page();
  const size_t body = (bytes + page) / page * page;  // at least one guard byte
  const size_t mapped = body + 2 * page;
  void* mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  auto* base = static_cast<std::byte*>(mapping);
  const Allocation a{base, mapped, base + page, bytes};
  madvise(a.begin, body, MADV_HUGEPAGE);  // fewer entries to protect with every operation
  mprotect(a.begin, body, PROT_READ | PROT_WRITE);
  std::memset(a.begin, kPoison, bytes);
  std::memset(a.end(), kGuard, a.guard_bytes());
  poison_region(a.end(), a.guard_bytes());
  if (open_count == 0) mprotect(a.begin, body, PROT_NONE);
  device_memory.emplace(address(a.begin), a);
  used_bytes += bytes;
  return a.begin;
}

void release(const Allocation& a) {
  unpoison_region(a.end(), a.guard_bytes());
  munmap(a.mapping, a.mapped_bytes);
  used_bytes -= a.bytes;
}

bool guard_is_whole(const Allocation& a) {
  unpoison_region(a.end(), a.guard_bytes());
  const bool whole = std::all_of(a.end(), a.end() + a.guard_bytes(),
                                 [](std::byte b) { return b == std::byte{kGuard}; });
  std::memset(a.end(), kGuard, a.guard_bytes());
  poison_region(a.end(), a.guard_bytes());
  return whole;
}

}  // namespace

bool on_device(Range range) {
  const auto found = entry_at(device_memory, address(range.begin));
  if (found == device_memory.end()) return false;
  const size_t offset = address(range.begin) - found->first;
  return offset <= found->second.bytes && range.bytes <= found->second.bytes - offset;
}

bool is_pinned(Range range) {
  const auto found = entry_at(pinned_memory, address(range.begin));
  if (found == pinned_memory.end()) return false;
  const size_t offset = address(range.begin) - found->first;
  return offset <= found->second && range.bytes <= found->second - offset;
}

bool touches_device(Range range) {
  for (const auto& [begin, a] : device_memory)
    if (address(range.begin) < begin + a.bytes && begin < address(range.begin) + range.bytes)
      return true;
  return false;
}

DeviceAccess::DeviceAccess() {
  if (open_count++ == 0) set_protection(PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  if (--open_count == 0) set_protection(PROT_NONE);
}

std::string DeviceAccess::check_guards() const {
  for (const auto& [begin, a] : device_memory)
    if (!guard_is_whole(a))
      return "bytes past the end of an allocation of " + std::to_string(a.bytes) +
             " bytes were written";
  return "";
}

size_t live_allocations() {
  return device_memory.size() + pinned_memory.size();
}

size_t live_device_bytes() {
  return used_bytes;
}

void set_free_bytes(size_t bytes) {
  limit_bytes = used_bytes + bytes;
}

void free_all_memory() {
  for (const auto& [begin, a] : device_memory) release(a);
  device_memory.clear();
  for (const auto& [begin, bytes] : pinned_memory) std::free(reinterpret_cast<void*>(begin));
  pinned_memory.clear();
  limit_bytes = kMemoryBytes;
}

}  // namespace host_cuda

using namespace host_cuda;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return runtime_call("cudaMalloc", [&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    *pointer = nullptr;
    if (refused_by_capture("cudaMalloc")) return cudaErrorStreamCaptureUnsupported;
    ++device().counters.allocations;
    if (bytes == 0) return cudaSuccess;
    if (bytes > limit_bytes - std::min(limit_bytes, used_bytes))
      return refuse(cudaErrorMemoryAllocation, "cudaMalloc: more than is free");
    *pointer = allocate(bytes);
    return *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

cudaError_t cudaFree(void* pointer) {
  return runtime_call("cudaFree", [&] {
    if (pointer == nullptr) return cudaSuccess;
    if (refused_by_capture("cudaFree")) return cudaErrorStreamCaptureUnsupported;
    const auto found = device_memory.find(address(pointer));
    if (found == device_memory.end())
      return refuse(cudaErrorInvalidValue, "cudaFree: not what cudaMalloc gave");
    release(found->second);
    device_memory.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  return runtime_call("cudaHostAlloc", [&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    *pointer = nullptr;
    if (refused_by_capture("cudaHostAlloc")) return cudaErrorStreamCaptureUnsupported;
    ++device().counters.allocations;
    if (bytes == 0) return cudaSuccess;
    *pointer = std::malloc(bytes);
    if (*pointer == nullptr) return cudaErrorMemoryAllocation;
    std::memset(*pointer, kPoison, bytes);
    pinned_memory.emplace(address(*pointer), bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* pointer) {
  return runtime_call("cudaFreeHost", [&] {
    if (pointer == nullptr) return cudaSuccess;
    if (refused_by_capture("cudaFreeHost")) return cudaErrorStreamCaptureUnsupported;
    if (pinned_memory.erase(address(pointer)) == 0)
      return refuse(cudaErrorInvalidValue, "cudaFreeHost: not what cudaHostAlloc gave");
    std::free(pointer);
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return runtime_call("cudaMemGetInfo", [&] {
    *free_bytes = limit_bytes - std::min(limit_bytes, used_bytes);
    *total_bytes = kMemoryBytes;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return runtime_call("cudaPointerGetAttributes", [&] {
    void* const p = const_cast<void*>(pointer);
    *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, nullptr};
    if (on_device({pointer, 1})) *attributes = {cudaMemoryTypeDevice, device().current, p, nullptr};
    if (is_pinned({pointer, 1})) *attributes = {cudaMemoryTypeHost, device().current, p, p};
    return cudaSuccess;
  });
}
