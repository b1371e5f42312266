#include "host/cpu/aligned.h"

#include <cstring>
#include <new>

#include "host/core/huge_pages.h"

namespace digitron {

namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kLeastHuge = size_t{256} << 10;  // worth a page that is not full

}  // namespace

void* allocate_zeroed(size_t bytes) {
  const size_t alignment = bytes < kLeastHuge ? kAlignment : kHugePage;
  const size_t rounded = bytes == 0 ? alignment : (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (!memory) throw std::bad_alloc();
  prefer_huge_pages(memory, rounded);
  std::memset(memory, 0, rounded);
  return memory;
}

}  // namespace digitron
