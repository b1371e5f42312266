// The dropout kernel draws what host/dropout.h says, for the seed and step in device memory.
#include "kernels/dropout.h"

#include <gtest/gtest.h>

#include "host/dropout.h"
#include "tests/engine_testing.h"
#include "tests/host_cuda_testing.h"

namespace digitron::testing {
namespace {

class CudaDropout : public HostCuda {};

TEST_F(CudaDropout, EqualsTheHostsToTheLastBit) {
  Random random(3);
  for (const int elements : {1, 3, 4, 10, 1029}) {
    for (const float p : {0.0f, 0.3f, 0.9f}) {
      const int n = 5;
      StepState state{Permutation(0, 0, 1, false), 0, 0, 77, uint64_t{9} << 32 | 4, 0, 0, 0};
      const std::vector<float> x =
          random.reals<float>(static_cast<size_t>(n) * static_cast<size_t>(elements));
      std::vector<float> expected;
      const auto count = static_cast<uint32_t>(elements);
      for (uint32_t i = 0; i < x.size(); ++i) {
        const RandomWords words =
            dropout_words({state.seed, 77, 6}, i / count * dropout_quads(count) + i % count / 4);
        expected.push_back(x[i] * dropout_factor(words.word[i % count % 4], p, 1.0f / (1.0f - p)));
      }
      float* in = on_device(x);
      float* out = device_memory<float>(x.size());
      const StepState* device_state = on_device<StepState>({state});
      ASSERT_EQ(dropout(out, in, device_state, 6, p, n, elements, nullptr), cudaSuccess);
      EXPECT_EQ(from_device(out, x.size()), expected) << elements << ", " << p;
      ASSERT_EQ(dropout(in, in, device_state, 6, p, n, elements, nullptr), cudaSuccess);
      EXPECT_EQ(from_device(in, x.size()), expected) << "in place";
    }
  }
}

}  // namespace
}  // namespace digitron::testing
