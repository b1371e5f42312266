// The program's engine, on the first GPU.
#include <cstdlib>
#include <string_view>

#include "tests/cuda_testing.h"

namespace digitron::testing {

// Why there is no GPU to test on; empty where there is one. Asked once, and without an engine.
const std::string& reason_without_gpu() {
  static const std::string reason = [] {
    const DeviceReport first = cuda_devices().front();
    return first.available ? std::string() : first.description;
  }();
  return reason;
}

void CudaTest::SetUp() {
  const std::string& reason = reason_without_gpu();
  if (reason.empty()) return;
  const char* required = std::getenv("DIGITRON_REQUIRE_CUDA");
  if (required && std::string_view(required) == "1") FAIL() << reason;
  GTEST_SKIP() << reason;
}

void CudaTest::TearDown() {}

std::unique_ptr<Engine> cuda_engine(const Plan& plan, const CudaOptions& options) {
  EngineOrReason answer = make_cuda_engine(plan, 0, options);
  return std::move(std::get<std::unique_ptr<Engine>>(answer));
}

void order_threads(ThreadOrder) {}

}  // namespace digitron::testing
