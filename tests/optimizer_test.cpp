// The reference's optimisers against PyTorch 1.13, and what changes from step to step.
#include "host/shared/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "host/reference/reference_optimizer.h"

namespace digitron {
namespace {

struct Case {
  OptimizerKind kind;
  std::vector<double> expected;  // what torch.optim makes of kStart in double precision
};

const std::vector<double> kStart{0.5, -1.0, 2.0};

// 4 steps at lr=0.1, momentum=0.9, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.02, with gradients
// (sin(t), 0.25 * t - 0.75, 0.001 * t), t from 1 on.
const std::vector<Case> kCases{
    {OptimizerKind::kSgd, {0.00628131190714589, -0.768349026816, 1.9620625557528}},
    {OptimizerKind::kNesterov, {-0.0584272356252091, -0.735168371194954, 1.94903762392773}},
    {OptimizerKind::kAdam, {0.200433064484279, -0.714010370160041, 1.6010001460424}},
    {OptimizerKind::kAdamW, {0.198620146904462, -0.71487592193993, 1.59062987890879}}};

TEST(ReferenceOptimizer, FourStepsAsPyTorch) {
  for (const Case& each : kCases) {
    const Optimizer optimizer{.momentum = 0.9f,
                              .weight_decay = 0.02f,
                              .kind = each.kind,
                              .beta1 = 0.8,
                              .beta2 = 0.95,
                              .eps = 1e-6};
    std::vector<double> w = kStart, m(3), v(3), average(3);
    for (int t = 1; t <= 4; ++t) {
      const std::vector<double> g{std::sin(t), 0.25 * t - 0.75, 1e-3 * t};
      reference::update<double>(w.data(), m.data(), v.data(), average.data(), g.data(), 3,
                                optimizer, step_rates(optimizer, 0.1, t));
    }
    for (size_t i = 0; i < w.size(); ++i) {
      EXPECT_TRUE(std::abs(w[i] - each.expected[i]) <= 2e-7)
          << i << " of optimiser " << static_cast<int>(each.kind) << ": " << w[i];
    }
  }
}

TEST(ReferenceOptimizer, TheAverageFollowsTheParameters) {
  const Optimizer optimizer{.momentum = 0, .average_decay = 0.9};
  double w = 1, m = 0, v = 0, average = 5;
  const double g = -1;
  reference::update<double>(&w, &m, &v, &average, &g, 1, optimizer,
                            {.lr = 0.5f, .average_rate = 0.25f});
  EXPECT_EQ(w, 1.5);
  EXPECT_EQ(average, 5 + 0.25 * (1.5 - 5));
}

TEST(StepRates, OfSgdAreTheRateAlone) {
  const StepRates rates = step_rates({}, 0.25, 7);
  EXPECT_EQ(rates.lr, 0.25f);
  EXPECT_EQ(rates.average_rate, 0.0f);
}

TEST(StepRates, TheAverageForgetsTheInitialParametersSoon) {
  const Optimizer optimizer{.average_decay = 0.99};
  EXPECT_FLOAT_EQ(step_rates(optimizer, 1, 1).average_rate, 9.0f / 11);
  EXPECT_FLOAT_EQ(step_rates(optimizer, 1, 100).average_rate, 9.0f / 110);
  EXPECT_FLOAT_EQ(step_rates(optimizer, 1, 100000).average_rate, 0.01f);
}

}  // namespace
}  // namespace digitron
