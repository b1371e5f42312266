#include "host/cpu/ceilings.h"

#include <gtest/gtest.h>

#include <numeric>

#include "host/cpu/aligned.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

class CpuCeilings : public testing::CpuKernelsTest {};

TEST_P(CpuCeilings, MultiplyAddsAreDoneAndCounted) {
  const AlignedArray<float> sums = make_aligned<float>(kSumFloats);
  const int64_t flops = kernels_.multiply_adds(sums.get(), 3);  // 0 -> 1 -> 1.5 -> 1.75
  const auto changed = std::count(sums.get(), sums.get() + kSumFloats, 1.75f);
  EXPECT_GT(changed, 0);
  EXPECT_EQ(flops, 3 * 2 * changed);
}

TEST_P(CpuCeilings, TriadIsASumOfProducts) {
  constexpr int kCount = 3 * kLanes;
  const AlignedArray<float> a = make_aligned<float>(kCount), b = make_aligned<float>(kCount),
                            c = make_aligned<float>(kCount);
  std::iota(b.get(), b.get() + kCount, 1.0f);
  std::iota(c.get(), c.get() + kCount, 10.0f);
  kernels_.triad(a.get(), b.get(), c.get(), 0.5f, kCount);
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(a[i], b[i] + 0.5f * c[i]) << i;
}

TEST_P(CpuCeilings, SaysWhatItMeasured) {
  const Ceilings ceilings = measure_cpu_ceilings(kernels_, 2, size_t{1} << 18, 0);
  EXPECT_GT(ceilings.flops_per_second, 0);
  EXPECT_GT(ceilings.bytes_per_second, 0);
  EXPECT_TRUE(std::isfinite(ceilings.flops_per_second + ceilings.bytes_per_second));
  EXPECT_EQ(ceilings.compute, std::string("multiply-adds, ") + kernels_.name + ", 2 threads");
  EXPECT_EQ(ceilings.memory, "triad of 3 x 1 MiB, 2 threads");
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuCeilings, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
