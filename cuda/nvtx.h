// What a profiler's timeline says about the work below it (NVTX 3). Where no profiler listens, a
// range costs the making of its name.
#pragma once

#include <nvtx3/nvToolsExt.h>

#include <string>

namespace digitron {

// A range of the calling thread in the domain "digitron", from here to the end of the scope.
class NvtxRange {
 public:
  explicit NvtxRange(const std::string& name) {
    nvtxEventAttributes_t attributes{};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
    attributes.message.ascii = name.c_str();
    nvtxDomainRangePushEx(domain(), &attributes);
  }
  ~NvtxRange() { nvtxDomainRangePop(domain()); }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

 private:
  static nvtxDomainHandle_t domain() {
    static const nvtxDomainHandle_t domain = nvtxDomainCreateA("digitron");
    return domain;
  }
};

}  // namespace digitron
