// The optimiser of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/reference/reference_optimizer.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::Random;

class CpuSgd : public testing::CpuKernelsTest {};

// Any slice of the flat buffers: odd counts from odd offsets on.
TEST_P(CpuSgd, AgreesWithTheReference) {
  Random random(89);
  for (const size_t count : {1, 2, 5, 15, 16, 17, 31, 100}) {
    const size_t offset = count % 7;
    Guarded<float> w(offset + count, random), v(offset + count, random), g(offset + count, random);
    std::vector<double> expected_w = w.values(), expected_v = v.values();
    reference::update<double>(&expected_w[offset], &expected_v[offset], nullptr, nullptr,
                              &g.values()[offset], count, {.momentum = 0.9f, .weight_decay = 0.02f},
                              {.lr = 0.1f});
    kernels_.sgd({w.data() + offset, v.data() + offset, 0.1f, 0.9f, 0.02f}, g.data() + offset,
                 std::ptrdiff_t(count));
    EXPECT_TRUE(is_near(w.values(), expected_w, 1e-6)) << count;
    EXPECT_TRUE(is_near(v.values(), expected_v, 1e-6)) << count;
    EXPECT_TRUE(w.intact() && v.intact() && g.intact());
    for (size_t i = 0; i < offset; ++i) EXPECT_EQ(w[i], static_cast<float>(expected_w[i]));
  }
}

// Threads share a tensor at any place, so each parameter's result must not depend on its place in a
// vector.
TEST_P(CpuSgd, SlicesGiveTheSameBits) {
  Random random(90);
  constexpr size_t kCount = 67;
  Guarded<float> w(kCount, random), v(kCount, random), g(kCount, random), w2(kCount), v2(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    w2[i] = w[i];
    v2[i] = v[i];
  }
  kernels_.sgd({w.data(), v.data(), 0.1f, 0.9f, 0.02f}, g.data(), kCount);
  for (size_t first = 0; first < kCount;) {
    const size_t count = std::min(kCount - first, size_t(random.between(1, 20)));
    kernels_.sgd({w2.data() + first, v2.data() + first, 0.1f, 0.9f, 0.02f}, g.data() + first,
                 std::ptrdiff_t(count));
    first += count;
  }
  EXPECT_EQ(w2.values(), w.values());
  EXPECT_EQ(v2.values(), v.values());
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuSgd, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
