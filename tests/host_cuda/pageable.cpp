#include "tests/host_cuda/pageable.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "tests/host_cuda/device.h"

namespace host_cuda {
namespace {

struct PageableRead {
  cudaStream_t stream;
  const void* begin;
  std::vector<std::byte> bytes;  // as they were when the copy was submitted
};

std::vector<PageableRead>& reads() {
  static std::vector<PageableRead> all;
  return all;
}

// Looked at through the system, which answers for memory that has been unmapped, too.
bool is_as_it_was(const PageableRead& read) {
  std::vector<std::byte> now(read.bytes.size());
  const iovec local{now.data(), now.size()};
  const iovec remote{const_cast<void*>(read.begin), now.size()};
  const ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  if (got < 0 && errno != EFAULT) return true;  // not allowed here: then there is no telling
  return got == static_cast<ssize_t>(now.size()) && now == read.bytes;
}

}  // namespace

void note_pageable_read(cudaStream_t stream, Range range) {
  const auto* begin = static_cast<const std::byte*>(range.begin);
  reads().push_back({stream, range.begin, {begin, begin + range.bytes}});
}

cudaError_t check_pageable_reads(cudaStream_t stream, bool all_streams) {
  std::vector<PageableRead> kept;
  for (PageableRead& read : reads()) {
    if (!all_streams && read.stream != stream) {
      kept.push_back(std::move(read));
    } else if (!is_as_it_was(read)) {
      lose_device(cudaErrorIllegalAddress,
                  "cudaMemcpyAsync: " + std::to_string(read.bytes.size()) +
                      " bytes of pageable memory went or changed before the stream was waited for");
    }
  }
  reads() = std::move(kept);
  return device().lost;
}

void forget_pageable_reads() {
  reads().clear();
}

}  // namespace host_cuda
