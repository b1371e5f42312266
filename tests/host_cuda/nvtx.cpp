// NVTX's ranges, each under the ranges that were open when it began.
#include <nvtx3/nvToolsExt.h>

#include <stdexcept>

#include "tests/host_cuda/device.h"

struct nvtxDomainRegistration_st {
  std::string name;
};

using namespace host_cuda;

namespace {

struct Ranges {
  std::vector<std::string> open;
  std::vector<std::string> all;
};

// Domains live as long as the program, so the ranges do too: reset() leaves the domains alone.
Ranges& store() {
  static Ranges ranges;
  return ranges;
}

}  // namespace

namespace host_cuda {

std::vector<std::string> ranges() {
  const std::lock_guard lock(mutex());
  return store().all;
}

size_t open_ranges() {
  const std::lock_guard lock(mutex());
  return store().open.size();
}

void reset_ranges() {
  const std::lock_guard lock(mutex());
  store() = {};
}

}  // namespace host_cuda

nvtxDomainHandle_t nvtxDomainCreateA(const char* name) {
  return new nvtxDomainRegistration_st{name};  // as in NVTX, for ever
}

int nvtxDomainRangePushEx(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  if (attributes->version != NVTX_VERSION || attributes->size != sizeof *attributes ||
      attributes->messageType != NVTX_MESSAGE_TYPE_ASCII) {
    throw std::logic_error("nvtxDomainRangePushEx: attributes without version, size or message");
  }
  const std::lock_guard lock(mutex());
  std::vector<std::string>& open = store().open;
  const std::string parent = open.empty() ? domain->name : open.back();
  open.push_back(parent + "/" + attributes->message.ascii);
  store().all.push_back(open.back());
  return static_cast<int>(open.size()) - 1;
}

int nvtxDomainRangePop(nvtxDomainHandle_t) {
  const std::lock_guard lock(mutex());
  std::vector<std::string>& open = store().open;
  if (open.empty()) throw std::logic_error("nvtxDomainRangePop: no range is open");
  open.pop_back();
  return static_cast<int>(open.size());
}
