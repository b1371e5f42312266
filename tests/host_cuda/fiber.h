// A stack of its own for a device thread that has to wait in the middle of a kernel.
#pragma once

#include <cstddef>
#include <functional>

namespace host_cuda {

// Where a stack of instructions stopped: of a fiber, or of the code that runs fibers.
struct Execution {
  void* jump[5];  // for __builtin_setjmp
  const void* stack = nullptr;
  size_t stack_bytes = 0;
  void* asan_fake_stack = nullptr;
  void* tsan_fiber = nullptr;
};

class Fiber {
 public:
  // body runs when the fiber is first resumed, and must not return: it suspends for ever.
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs the fiber from where it stopped until it suspends.
  void resume();
  // Called inside the fiber: goes back to who resumed it.
  void suspend();

 private:
  static void enter(unsigned high, unsigned low);

  std::function<void()> body_;
  std::byte* mapping_;
  Execution self_;
  Execution caller_;
  bool started_ = false;
};

}  // namespace host_cuda
