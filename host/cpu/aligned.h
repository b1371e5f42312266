// Zeroed arrays aligned for whole vectors and cache lines.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace digitron {

struct FreeDeleter {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

template <class T>
using AlignedArray = std::unique_ptr<T[], FreeDeleter>;

inline constexpr size_t kAlignment = 256;

// `count` zeros. Throws std::bad_alloc.
template <class T>
AlignedArray<T> make_aligned(size_t count) {
  const size_t bytes = (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, bytes == 0 ? kAlignment : bytes);
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0, bytes);
  return AlignedArray<T>(static_cast<T*>(memory));
}

}  // namespace digitron
