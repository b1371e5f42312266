#include "host/core/huge_pages.h"

#include <sys/mman.h>

#include <memory>

namespace digitron {

void prefer_huge_pages(void* memory, size_t bytes) {
  void* first = memory;
  if (std::align(kHugePage, kHugePage, first, bytes)) {
    madvise(first, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
}

std::vector<uint8_t> reserve_huge(size_t bytes) {
  std::vector<uint8_t> room;
  room.reserve(bytes);
  prefer_huge_pages(room.data(), bytes);
  return room;
}

}  // namespace digitron
