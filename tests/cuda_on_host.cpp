// The stand-in for CUDA as the device under test.
#include <host_cuda.h>
#include "tests/cuda_testing.h"

namespace digitron::testing {

void CudaTest::SetUp() {
  host_cuda::reset();
}

void CudaTest::TearDown() {
  if (!lost_) {
    EXPECT_EQ(host_cuda::live_objects(), 0u);
  }
}

void scramble_threads() {
  host_cuda::set_order(host_cuda::Order::kScrambled, 7);
}

}  // namespace digitron::testing
