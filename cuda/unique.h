// The owner of every C handle: streams, graphs, library handles, descriptors, device memory.
#pragma once

#include <utility>

namespace digitron {

template <class Handle, auto kDestroy>
class Unique {
 public:
  Unique() = default;
  Unique(Unique&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  Unique& operator=(Unique&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Unique() { reset(); }

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Handle{}; }

  // For functions that create a handle: check(cudaStreamCreate(stream.out()), ...).
  Handle* out() {
    reset();
    return &handle_;
  }

 private:
  // What destroying answers is dropped: destructors do not throw, and the error that made a handle
  // useless has been reported by the call that met it.
  void reset() {
    if (handle_ != Handle{}) static_cast<void>(kDestroy(handle_));
    handle_ = Handle{};
  }

  Handle handle_{};
};

}  // namespace digitron
