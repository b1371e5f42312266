// The sanitizers' interfaces. Weak: null in a build without the sanitizer.
#pragma once

#include <cstddef>

extern "C" {
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* address, size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* address, size_t bytes);
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* stack,
                                                  size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** stack,
                                                   size_t* bytes);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
[[gnu::weak]] void __tsan_ignore_thread_begin();
[[gnu::weak]] void __tsan_ignore_thread_end();
[[gnu::weak]] void __tsan_read_range(void* address, unsigned long bytes);
[[gnu::weak]] void __tsan_write_range(void* address, unsigned long bytes);
}

namespace host_cuda {

inline bool under_tsan() {
  return __tsan_create_fiber != nullptr;
}
// What this thread did before it released is ordered before what another does after it acquires.
inline void acquire(char& sync) {
  if (__tsan_acquire != nullptr) __tsan_acquire(&sync);
}
inline void release(char& sync) {
  if (__tsan_release != nullptr) __tsan_release(&sync);
}
// Accesses on a device thread's behalf: the stand-in itself is not instrumented.
inline void note_read(const void* address, size_t bytes) {
  if (__tsan_read_range != nullptr) __tsan_read_range(const_cast<void*>(address), bytes);
}
inline void note_write(void* address, size_t bytes) {
  if (__tsan_write_range != nullptr) __tsan_write_range(address, bytes);
}
// While this thread frees what a device thread allocated in the stand-in.
class IgnoreAccesses {
 public:
  IgnoreAccesses() {
    if (__tsan_ignore_thread_begin != nullptr) __tsan_ignore_thread_begin();
  }
  ~IgnoreAccesses() {
    if (__tsan_ignore_thread_end != nullptr) __tsan_ignore_thread_end();
  }
  IgnoreAccesses(const IgnoreAccesses&) = delete;
  IgnoreAccesses& operator=(const IgnoreAccesses&) = delete;
};
inline void poison_region(const void* address, size_t bytes) {
  if (__asan_poison_memory_region != nullptr) __asan_poison_memory_region(address, bytes);
}
inline void unpoison_region(const void* address, size_t bytes) {
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(address, bytes);
}

}  // namespace host_cuda
