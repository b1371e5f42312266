#include "cuda/shared_layout.h"

#include <algorithm>

namespace digitron {

int SharedLayout::place() {
  std::stable_sort(buffers_.begin(), buffers_.end(),
                   [](const Buffer& a, const Buffer& b) { return a.floats > b.floats; });
  int floats = 0;
  for (auto buffer = buffers_.begin(); buffer != buffers_.end(); ++buffer) {
    std::vector<const Buffer*> others;  // with a place, and at some time with this one
    for (auto other = buffers_.begin(); other != buffer; ++other) {
      if (other->first <= buffer->last && buffer->first <= other->last) others.push_back(&*other);
    }
    std::sort(others.begin(), others.end(),
              [](const Buffer* a, const Buffer* b) { return *a->offset < *b->offset; });
    int offset = 0;
    for (const Buffer* other : others) {
      if (offset + buffer->floats <= *other->offset) break;
      offset = std::max(offset, *other->offset + other->floats);
    }
    *buffer->offset = offset;
    floats = std::max(floats, offset + buffer->floats);
  }
  return floats;
}

}  // namespace digitron
