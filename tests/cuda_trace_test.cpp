// The timeline of a GPU's kernels, with a fake in place of CUPTI.
#include <gmock/gmock.h>

#include "cuda/activity_trace.h"
#include "cuda/module.h"
#include "cuda/nvtx.h"
#include "host/core/error.h"
#include "tests/cuda_testing.h"
#include "tests/fake_cupti/fake_cupti.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CudaTraceTest : public testing::CudaTest {
 protected:
  const RangeName conv1_{"conv1 forward", RangeKind::kForward};
  const RangeName steps_{"steps", RangeKind::kStep};
};

TEST_F(CudaTraceTest, KernelsHaveTheNamesOfTheirLayers) {
  ActivityTrace trace;
  {
    const NvtxRange recording(range_names().record_graph);
    const NvtxRange layer(conv1_);
    fake_cupti_node_created(7);
  }
  fake_cupti_node_created(8);  // under no range
  fake_cupti_node_cloned(17, 7);
  fake_cupti_node_cloned(18, 8);
  fake_cupti_kernel("early", 1, 100, 200, 1, 0);

  trace.start();
  {
    const NvtxRange steps(steps_);
    fake_cupti_call(3);
  }
  fake_cupti_call(4);
  fake_cupti_kernel("relu", 7, 5000, 5500, 3, 0);
  fake_cupti_kernel("gemm", 7, 2000, 4000, 3, 17);
  fake_cupti_kernel("copy", 9, 6000, 6100, 4, 0);
  fake_cupti_kernel("other", 9, 7000, 7100, 3, 18);
  trace.stop();
  fake_cupti_kernel("late", 1, 9000, 9100, 5, 0);

  const std::vector<TraceEvent> events = trace.events();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].name, "conv1 forward: gemm");
  EXPECT_EQ(events[0].category, "forward");
  EXPECT_EQ(events[0].lane, "stream 7");
  EXPECT_DOUBLE_EQ(events[0].begin_seconds, 0);
  EXPECT_DOUBLE_EQ(events[0].seconds, 2e-6);
  EXPECT_EQ(events[1].name, "steps: relu");
  EXPECT_DOUBLE_EQ(events[1].begin_seconds, 3e-6);
  EXPECT_EQ(events[2].name, "copy");
  EXPECT_EQ(events[2].lane, "stream 9");
  EXPECT_EQ(events[3].name, "other");
  EXPECT_EQ(events[3].category, "");
}

TEST_F(CudaTraceTest, TheModuleDrawsWhatItsProfilerCaptures) {
  EXPECT_THAT(digitron_cuda_module.close_trace(), IsEmpty());
  digitron_cuda_module.open_trace();
  fake_cupti_kernel("early", 1, 100, 200, 1, 0);
  digitron_cuda_module.start_profiler();
  fake_cupti_kernel("relu", 7, 5000, 5500, 3, 0);
  digitron_cuda_module.stop_profiler();
  fake_cupti_kernel("between", 7, 5600, 5700, 4, 0);
  digitron_cuda_module.start_profiler();  // once more, on the same timeline
  fake_cupti_kernel("timed", 7, 9000, 9500, 5, 0);
  digitron_cuda_module.stop_profiler();
  const std::vector<TraceEvent> events = digitron_cuda_module.close_trace();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_DOUBLE_EQ(events[1].begin_seconds, 4e-6);
  digitron_cuda_module.start_profiler();  // nothing is open any more
  digitron_cuda_module.stop_profiler();
  EXPECT_THAT(digitron_cuda_module.close_trace(), IsEmpty());
}

TEST_F(CudaTraceTest, ASecondProfilerIsAnError) {
  fake_cupti_fail(39);
  try {
    const ActivityTrace trace;
    FAIL() << "no error";
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("cuptiSubscribe failed: CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED; "
                          "run it without another profiler"));
  }
}

}  // namespace
}  // namespace digitron
