#include "tests/host_cuda/async_copies.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include <cuda_pipeline.h>
#include "tests/host_cuda/block.h"
#include "tests/host_cuda/memory.h"
#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {

// The copy may write at any time from here on, so that whoever still reads the target races.
void AsyncCopies::add(void* to, const void* from, size_t bytes, size_t zeros) {
  note_write(to, bytes);
  std::memset(to, kPoison, bytes);
  copies_.push_back({to, from, bytes, zeros, commits_});
}

void AsyncCopies::commit() {
  ++commits_;
}

void AsyncCopies::wait(size_t commits_left) {
  const auto waits = [&](const Copy& copy) { return copy.commit + commits_left < commits_; };
  const auto end = std::find_if_not(copies_.begin(), copies_.end(), waits);
  for (auto copy = copies_.begin(); copy != end; ++copy) {
    note_read(copy->from, copy->bytes - copy->zeros);
    note_write(copy->to, copy->bytes);
    std::memset(copy->to, 0, copy->bytes);
    std::memcpy(copy->to, copy->from, copy->bytes - copy->zeros);
  }
  copies_.erase(copies_.begin(), end);
}

void copy_async(void* to, const void* from, size_t bytes, size_t zeros, Site site) {
  Block& block = *Block::running;
  const auto multiple = [&](const void* p) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; };
  if (bytes != 4 && bytes != 8 && bytes != 16)
    block.fail("__pipeline_memcpy_async of " + std::to_string(bytes) + " bytes, not 4, 8 or 16",
               site);
  if (zeros > bytes) block.fail("__pipeline_memcpy_async with more zeros than bytes", site);
  if (!multiple(to) || !multiple(from))
    block.fail("__pipeline_memcpy_async of " + std::to_string(bytes) +
                   " bytes with an address that is no multiple of that",
               site);
  if (device_can_access({to, 1}))
    block.fail("__pipeline_memcpy_async to memory that is not shared", site);
  if (!device_can_access({from, bytes - zeros}))
    block.fail("__pipeline_memcpy_async from memory that is not global", site);
  block.copies().add(to, from, bytes, zeros);
}

void commit_copies() {
  Block::running->copies().commit();
}

void wait_for_copies(size_t commits_left) {
  constexpr size_t kMostCommits = 8;  // the header's own limit
  Block::running->copies().wait(std::min(commits_left, kMostCommits));
}

}  // namespace host_cuda
