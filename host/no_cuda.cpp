// Stands in for cuda/ in a build without the CUDA toolkit.
#include "host/engine.h"

namespace digitron {

namespace {
constexpr const char* kReason =
    "this build has no CUDA engine; install the CUDA toolkit, cuDNN and cuBLAS, then configure "
    "again";
}

EngineOrReason make_cuda_engine(const Plan&, int, const CudaOptions&) {
  return Unavailable{kReason};
}

std::vector<DeviceReport> cuda_devices() {
  return {{"cuda", kReason, false}};
}

}  // namespace digitron
