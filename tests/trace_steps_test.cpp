// Where the phases of a timed step are put.
#include "host/bench/trace_steps.h"

#include <gmock/gmock.h>

namespace digitron {
namespace {

const std::vector<TraceEvent> kPhases = {{"block 0", "timed pass", "step", 0, 4, 7},
                                         {"block 0", "gather", "", 0, 1, 7},
                                         {"block 1", "timed pass", "step", 0.5, 4, 7}};

std::vector<double> begins(const std::vector<TraceEvent>& events) {
  std::vector<double> begins;
  for (const TraceEvent& event : events) begins.push_back(event.begin_seconds);
  return begins;
}

TEST(TraceStepsTest, PhasesBeginWithTheirKernel) {
  std::vector<TraceEvent> kernels = {{"stream 7", "pass: kernel", "step", 0, 5},
                                     {"stream 7", "timed pass: kernel", "step", 20, 5},
                                     {"stream 7", "timed pass: kernel", "step", 30, 5}};
  add_phases(kernels, kPhases);
  EXPECT_THAT(begins(kernels), ::testing::ElementsAre(0, 20, 30, 20, 20, 20.5));
  EXPECT_EQ(kernels[5].lane, "block 1");
  EXPECT_EQ(kernels[5].step, 7);
}

TEST(TraceStepsTest, PhasesWithoutTheirKernelAreBehindAll) {
  std::vector<TraceEvent> kernels = {{"stream 7", "pass: kernel", "step", 10, 5}};
  add_phases(kernels, kPhases);
  EXPECT_THAT(begins(kernels), ::testing::ElementsAre(10, 15, 15, 15.5));
}

TEST(TraceStepsTest, WithoutPhasesNothingIsAdded) {
  std::vector<TraceEvent> kernels = {{"stream 7", "pass: kernel", "step", 10, 5}};
  add_phases(kernels, {});
  EXPECT_EQ(kernels.size(), 1u);
}

}  // namespace
}  // namespace digitron
