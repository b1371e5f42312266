// The CUDA engine under test: the one on the host's stand-in (cuda_on_host.cpp) or the program's,
// on a GPU (cuda_on_gpu.cpp).
#pragma once

#include <gtest/gtest.h>

#include "host/core/devices.h"

namespace digitron::testing {

inline constexpr int kBatch = 16;
inline constexpr int kTrainCount = 86;  // 5 steps of 16 and one of 6
inline constexpr int kTestCount = 37;

// Starts each test with a device as new; on a GPU, skips it where there is none, and fails instead
// where DIGITRON_REQUIRE_CUDA is 1.
class CudaTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  bool lost_ = false;  // the device takes nothing back any more
};

// Throws where the engine is not available.
std::unique_ptr<Engine> cuda_engine(const Plan& plan, const CudaOptions& options = {});

// From now on the threads of kernels run in this order, where it can be chosen.
enum class ThreadOrder { kAscending, kDescending, kScrambled };
void order_threads(ThreadOrder order);

}  // namespace digitron::testing
