#include "cuda/ceilings.h"

#include <gmock/gmock.h>

#include "tests/cuda_testing.h"

namespace digitron {
namespace {

using ::testing::MatchesRegex;

class CudaCeilingsTest : public testing::CudaTest {};

TEST_F(CudaCeilingsTest, SayWhatWasMeasured) {
  const Ceilings ceilings = measure_cuda_ceilings(0, {});
  EXPECT_GT(ceilings.flops_per_second, 0);
  EXPECT_GT(ceilings.bytes_per_second, 0);
  EXPECT_TRUE(std::isfinite(ceilings.flops_per_second + ceilings.bytes_per_second));
  EXPECT_THAT(ceilings.compute, MatchesRegex("cublasSgemm of ([0-9]+) x [0-9]+, fp32"));
  EXPECT_THAT(ceilings.memory, MatchesRegex("copy of [0-9]+ MiB, read and written"));
}

TEST_F(CudaCeilingsTest, AreOfThePrecisionThatIsAskedFor) {
  EXPECT_THAT(measure_cuda_ceilings(0, {.tf32 = true}).compute, MatchesRegex(".*, tf32"));
}

}  // namespace
}  // namespace digitron
