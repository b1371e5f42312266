// The state of a kernel that runs.
#pragma once

#include "tests/host_cuda/kernel.h"

namespace host_cuda {

struct Grid {
  const Kernel* kernel = nullptr;
  Grid* before = nullptr;      // the kernel that it does not wait for until it asks to
  bool has_dependent = false;  // does the one after it start early?
  bool complete = false;       // have all its blocks ended?
  // Has every block that triggered or ended waited for the kernel before? Then that one is complete
  // when the dependent starts.
  bool vouches = true;
  char end_sync = 0;  // what all its threads did
};

// The order in which `count` blocks or threads take turns; salt: apart from other such orders.
std::vector<size_t> visiting_order(size_t count, uint64_t salt);

// Of the element with this index in a box, x fastest.
inline uint3 position(size_t index, dim3 extent) {
  const size_t plane = size_t{extent.x} * extent.y;
  return {static_cast<unsigned>(index % extent.x), static_cast<unsigned>(index % plane / extent.x),
          static_cast<unsigned>(index / plane)};
}

}  // namespace host_cuda
