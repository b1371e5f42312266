#include "host/core/huge_pages.h"

#include <sys/mman.h>

namespace digitron {

void prefer_huge_pages(void* memory, size_t bytes) {
  const auto first = (reinterpret_cast<uintptr_t>(memory) + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(memory) + bytes) / kHugePage * kHugePage;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

std::vector<uint8_t> reserve_huge(size_t bytes) {
  std::vector<uint8_t> room;
  room.reserve(bytes);
  prefer_huge_pages(room.data(), bytes);
  return room;
}

}  // namespace digitron
