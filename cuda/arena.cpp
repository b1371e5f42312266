#include "cuda/arena.h"

#include <algorithm>
#include <cstdio>

#include "cuda/check.h"
#include "host/core/error.h"

namespace digitron {

namespace {

constexpr size_t kAlignmentBytes = 256;  // what cudaMalloc gives, and the plan's slices rely on

std::string mebibytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace

void Arena::append(std::string name, size_t bytes) {
  slices_.push_back({std::move(name), bytes_, bytes});
  bytes_ += (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

void Arena::allocate() {
  const cudaError_t status = cudaMalloc(memory_.out(), std::max(bytes_, kAlignmentBytes));
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());  // it is reported here
    size_t free = 0;
    size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    const auto largest =
        std::max_element(slices_.begin(), slices_.end(),
                         [](const Slice& a, const Slice& b) { return a.bytes < b.bytes; });
    throw MachineError("out of GPU memory: " + mebibytes(bytes_) + " were asked for (" +
                       largest->name + ": " + mebibytes(largest->bytes) + "), " + mebibytes(free) +
                       " of " + mebibytes(total) +
                       " are free; take a smaller batch or model, or --device cpu");
  }
  check(status, "cudaMalloc");
  for (size_t i = 0; i < slices_.size(); ++i) {
    place_[i](static_cast<std::byte*>(memory_.get()) + slices_[i].offset);
  }
}

}  // namespace digitron
