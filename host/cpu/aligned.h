// Zeroed arrays aligned for whole vectors and cache lines.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace digitron {

struct FreeDeleter {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

template <class T>
using AlignedArray = std::unique_ptr<T[], FreeDeleter>;

// For std::free. Large memory is in huge pages where the system has them: a step goes through many
// tensors side by side, each in pages of its own. Throws std::bad_alloc.
void* allocate_zeroed(size_t bytes);

// `count` zeros. Throws std::bad_alloc.
template <class T>
AlignedArray<T> make_aligned(size_t count) {
  return AlignedArray<T>(static_cast<T*>(allocate_zeroed(count * sizeof(T))));
}

}  // namespace digitron
