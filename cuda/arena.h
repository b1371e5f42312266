// Device memory: one allocation, laid out by named slices that are asked for first.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "cuda/unique.h"

#include <cuda_runtime_api.h>

namespace digitron {

struct Slice {
  std::string name;
  size_t offset;  // bytes, a multiple of 256
  size_t bytes;
};

class Arena {
 public:
  // Asks for `count` elements; allocate() sets *pointer, which must live until then.
  template <class T>
  void add(std::string name, T** pointer, size_t count) {
    append(std::move(name), count * sizeof(T));
    place_.push_back([pointer](void* memory) { *pointer = static_cast<T*>(memory); });
  }

  // Throws MachineError that says how much was asked for, how much is free, and which slice is the
  // largest. The memory is not initialised.
  void allocate();

  // Bytes of the slices asked for so far: the most this arena ever holds.
  size_t bytes() const { return bytes_; }
  const std::vector<Slice>& slices() const { return slices_; }

 private:
  void append(std::string name, size_t bytes);

  std::vector<Slice> slices_;
  std::vector<std::function<void(void*)>> place_;
  size_t bytes_ = 0;
  Unique<void*, cudaFree> memory_;
};

}  // namespace digitron
