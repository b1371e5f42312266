// The program's engine, on the first GPU.
#include <cstdlib>
#include <string_view>

#include "tests/cuda_testing.h"

namespace digitron::testing {

void CudaTest::SetUp() {
  const EngineOrReason answer = make_cuda_engine(make_plan(parse_model("fc 10"), 1), 0, {});
  const auto* unavailable = std::get_if<Unavailable>(&answer);
  if (!unavailable) return;
  const char* required = std::getenv("DIGITRON_REQUIRE_CUDA");
  if (required && std::string_view(required) == "1") FAIL() << unavailable->reason;
  GTEST_SKIP() << unavailable->reason;
}

void CudaTest::TearDown() {}

std::unique_ptr<Engine> cuda_engine(const Plan& plan, const CudaOptions& options) {
  EngineOrReason answer = make_cuda_engine(plan, 0, options);
  return std::move(std::get<std::unique_ptr<Engine>>(answer));
}

void scramble_threads() {}

}  // namespace digitron::testing
