#include "tests/host_cuda/dynamic_shared.h"

#include <cstring>
#include <vector>

#include <host_cuda.h>
#include "tests/host_cuda/memory.h"
#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {
namespace {

using Address = void* (*)();

std::vector<Address>& arrays() {
  static std::vector<Address> all;
  return all;
}

}  // namespace

DynamicShared::DynamicShared(Address address) {
  arrays().push_back(address);
}

std::vector<std::byte*> dynamic_shared_arrays() {
  std::vector<std::byte*> begins;
  for (const Address address : arrays()) begins.push_back(static_cast<std::byte*>(address()));
  return begins;
}

void prepare_dynamic_shared(size_t bytes) {
  for (const Address address : arrays()) {
    std::byte* const array = static_cast<std::byte*>(address());
    unpoison_region(array, kDynamicSharedBytes);
    std::memset(array, kPoison, bytes);
    poison_region(array + bytes, kDynamicSharedBytes - bytes);
  }
}

void release_dynamic_shared() {
  for (const Address address : arrays()) unpoison_region(address(), kDynamicSharedBytes);
}

}  // namespace host_cuda
