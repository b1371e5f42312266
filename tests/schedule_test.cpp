#include "host/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace digitron {
namespace {

constexpr int kEpochSteps = 3;

// 4 epochs of 3 steps at 0.1.
TrainSettings settings(Schedule schedule) {
  TrainSettings settings;
  settings.epochs = 4;
  settings.lr = 0.1;
  settings.schedule = schedule;
  return settings;
}

void expect_rates(const TrainSettings& s, const std::vector<double>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double rate = learning_rate(s, static_cast<int64_t>(i), kEpochSteps);
    EXPECT_TRUE(std::abs(rate - expected[i]) <= 1e-14) << "step " << i << ": " << rate;
  }
}

TEST(Schedule, Constant) {
  expect_rates(settings(Schedule::kConstant), {0.1, 0.1, 0.1, 0.1});
}

// torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5), stepped once an epoch.
TEST(Schedule, StepAsPyTorch) {
  TrainSettings s = settings(Schedule::kStep);
  s.epochs = 5;
  s.step_epochs = 2;
  s.gamma = 0.5;
  expect_rates(s, {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.025});
}

// CosineAnnealingLR(optimizer, 12)
TEST(Schedule, CosineAsPyTorch) {
  expect_rates(settings(Schedule::kCosine),
               {0.1, 0.0982962913144534, 0.0933012701892219, 0.0853553390593274, 0.075,
                0.0629409522551261, 0.05, 0.037059047744874, 0.025, 0.0146446609406726,
                0.00669872981077807, 0.00170370868554659});
}

// OneCycleLR(optimizer, 0.1, total_steps=12), whose warm-up ends between two steps.
TEST(Schedule, OneCycleAsPyTorch) {
  expect_rates(settings(Schedule::kOneCycle),
               {0.004, 0.0349789654219583, 0.0879285159122129, 0.0994415435450912,
                0.0933012969841412, 0.0811745653949763, 0.0647378997695103, 0.0462637102666975,
                0.0283060998208699, 0.0133477530188831, 0.00345669874253952, 4e-07});
}

// OneCycleLR(optimizer, 0.1, total_steps=12, pct_start=0.25)
TEST(Schedule, OneCycleWithWarmUpAsPyTorch) {
  TrainSettings s = settings(Schedule::kOneCycle);
  s.warmup = 1;
  expect_rates(
      s, {0.004, 0.052, 0.1, 0.0969846431007713, 0.0883022689470603, 0.0750001, 0.058682574153711,
          0.041317825846289, 0.0250003, 0.0116981310529397, 0.00301575689922874, 4e-07});
}

TEST(Schedule, OneCycleWithoutWarmUpStartsNearTheTop) {
  TrainSettings s = settings(Schedule::kOneCycle);
  s.warmup = 0;
  EXPECT_GT(learning_rate(s, 0, kEpochSteps), 0.098);
  EXPECT_NEAR(learning_rate(s, 11, kEpochSteps), 4e-7, 1e-14);
}

TEST(Schedule, WarmUpRisesLinearlyAndTheRestFollows) {
  TrainSettings s = settings(Schedule::kConstant);
  s.warmup = 4.0 / 3;
  expect_rates(s, {0.025, 0.05, 0.075, 0.1, 0.1, 0.1});
  s.schedule = Schedule::kCosine;
  expect_rates(s, {0.025, 0.05, 0.075, 0.1});
  EXPECT_EQ(learning_rate(s, 4, kEpochSteps), 0.1);
  EXPECT_GT(learning_rate(s, 4, kEpochSteps), learning_rate(s, 5, kEpochSteps));
}

TEST(Schedule, EveryRateIsPositiveAndAtMostTheLargest) {
  for (const Schedule schedule :
       {Schedule::kConstant, Schedule::kStep, Schedule::kCosine, Schedule::kOneCycle}) {
    for (const double warmup : {0.0, 0.1, 1.0 / 3, 0.5, 2.0, 3.9}) {
      TrainSettings s = settings(schedule);
      s.warmup = warmup;
      for (int step = 0; step < 4 * kEpochSteps; ++step) {
        const double rate = learning_rate(s, step, kEpochSteps);
        EXPECT_TRUE(rate > 0 && rate <= 0.1) << to_text(schedule) << " " << warmup << " " << step;
      }
    }
  }
}

}  // namespace
}  // namespace digitron
