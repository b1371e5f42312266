#include "host/cpu/cpu_threads.h"

#include <gmock/gmock.h>

namespace digitron {
namespace {

const UsableCores kThree{16, 3, {}};

TEST(CpuThreadsTest, ANumberIsKept) {
  CpuThreads threads(3, 4);
  EXPECT_EQ(threads.team().size(), 3);
  EXPECT_EQ(threads.training(), 3);
  EXPECT_EQ(threads.evaluating(), 3);
  EXPECT_EQ(threads.line(), "3 threads");
  EXPECT_EQ(threads.reason(), "");
  threads.tuner().took(std::vector<double>(1000, 1.0));
  EXPECT_EQ(threads.tuner().threads(), 3);
}

TEST(CpuThreadsTest, MoreThanThereIsWorkForOnlyEvaluate) {
  CpuThreads threads(3, 2);
  EXPECT_EQ(threads.training(), 2);
  EXPECT_EQ(threads.evaluating(), 3);
  EXPECT_EQ(threads.line(), "3 threads");
  EXPECT_EQ(threads.reason(),
            "3 asked for; a training step of this batch has work for 2, and more would only wait");
}

TEST(CpuThreadsTest, AutomaticOnesSayWhyTheyAreSoMany) {
  CpuThreads threads(kThree, 8);
  EXPECT_EQ(threads.training(), 3);
  EXPECT_EQ(threads.line(), "up to 3 threads");
  EXPECT_EQ(threads.reason(),
            "up to 3, as is fastest: 3 of 16 cores by the process's affinity (taskset, cpuset)");
  CpuThreads one(UsableCores{}, 8);
  EXPECT_EQ(one.line(), "1 thread");
  EXPECT_EQ(one.reason(), "1: the only core");
}

TEST(CpuThreadsTest, WhatSlowsTrainingDownDoesNotEvaluate) {
  CpuThreads threads(kThree, 2);
  const auto train = [&](double one, double two) {
    for (int i = 0; i < 100; ++i) {
      ThreadTuner& tuner = threads.tuner();
      tuner.took(std::vector(tuner.steps(), tuner.threads() == 1 ? one : two));
    }
  };
  train(1e-3, 5e-4);
  EXPECT_EQ(threads.training(), 2);
  EXPECT_EQ(threads.evaluating(), 3);
  train(1e-3, 2e-3);
  EXPECT_EQ(threads.training(), 1);
  EXPECT_EQ(threads.evaluating(), 1);
}

}  // namespace
}  // namespace digitron
