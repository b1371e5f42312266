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

void order_threads(ThreadOrder order) {
  constexpr host_cuda::Order kOrders[] = {
      host_cuda::Order::kAscending, host_cuda::Order::kDescending, host_cuda::Order::kScrambled};
  host_cuda::set_order(kOrders[static_cast<int>(order)], 7);
}

}  // namespace digitron::testing
