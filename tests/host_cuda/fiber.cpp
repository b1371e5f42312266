#include "tests/host_cuda/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// ThreadSanitizer is not to take a switch for a synchronisation: only barriers are.
constexpr unsigned kNoSynchronisation = 1;

void announce_switch(Execution& from, const Execution& to) {
  if (__sanitizer_start_switch_fiber != nullptr)
    __sanitizer_start_switch_fiber(&from.asan_fake_stack, to.stack, to.stack_bytes);
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(to.tsan_fiber, kNoSynchronisation);
}

// from: whose stack was left, null when that is known.
void announce_arrival(Execution& here, Execution* from) {
  if (__sanitizer_finish_switch_fiber == nullptr) return;
  const void* stack = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(here.asan_fake_stack, &stack, &bytes);
  if (from == nullptr) return;
  from->stack = stack;
  from->stack_bytes = bytes;
}

// The compiler's own setjmp saves a few registers and makes no system call: ten times cheaper than
// swapcontext. No function may both set and take such a jump, and none of these may be inlined: the
// registers are saved by their frames. Not instrumented, because a jump to another stack is no
// return from this one.
[[noreturn, gnu::noipa]] __attribute__((noinline,
                                        no_sanitize("address", "thread", "undefined"))) void
take(void** to) {
  __builtin_longjmp(to, 1);
}

[[gnu::noipa]] __attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void jump(
    Execution& from, Execution& to) {
  if (__builtin_setjmp(from.jump) == 0) take(to.jump);
}

[[gnu::noipa]] __attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void
jump_first(Execution& from, const ucontext_t& to) {
  if (__builtin_setjmp(from.jump) != 0) return;
  setcontext(&to);
  std::abort();  // or clang leaves this frame, with the registers in it, before that call
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* mapping = mmap(nullptr, page + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping, page, PROT_NONE);  // an overflow faults
  mapping_ = static_cast<std::byte*>(mapping);
  self_.stack = mapping_ + page;
  self_.stack_bytes = kStackBytes;
  if (__tsan_create_fiber != nullptr) self_.tsan_fiber = __tsan_create_fiber(0);
}

Fiber::~Fiber() {
  if (__tsan_destroy_fiber != nullptr) __tsan_destroy_fiber(self_.tsan_fiber);
  unpoison_region(self_.stack, self_.stack_bytes);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  munmap(mapping_, page + kStackBytes);
}

void Fiber::enter(unsigned high, unsigned low) {
  const uintptr_t bits = static_cast<uintptr_t>(high) << 32 | low;
  Fiber* const fiber = reinterpret_cast<Fiber*>(bits);
  announce_arrival(fiber->self_, &fiber->caller_);
  fiber->body_();
}

void Fiber::resume() {
  if (__tsan_get_current_fiber != nullptr) caller_.tsan_fiber = __tsan_get_current_fiber();
  if (started_) {
    announce_switch(caller_, self_);
    jump(caller_, self_);
  } else {
    started_ = true;
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = const_cast<void*>(self_.stack);
    start.uc_stack.ss_size = self_.stack_bytes;
    start.uc_link = nullptr;
    const uintptr_t bits = reinterpret_cast<uintptr_t>(this);
    makecontext(&start, reinterpret_cast<void (*)()>(&Fiber::enter), 2,
                static_cast<unsigned>(bits >> 32), static_cast<unsigned>(bits));
    announce_switch(caller_, self_);
    jump_first(caller_, start);
  }
  announce_arrival(caller_, nullptr);
}

void Fiber::suspend() {
  announce_switch(self_, caller_);
  jump(self_, caller_);
  announce_arrival(self_, &caller_);
}

}  // namespace host_cuda
