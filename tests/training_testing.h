// Ways to train that every engine must agree on: optimisers, label smoothing, augmentation, the
// moving average.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/core/engine.h"
#include "tests/engine_testing.h"

namespace digitron::testing {

struct NamedTraining {
  std::string name;
  Training training;
};

inline std::vector<NamedTraining> trainings() {
  constexpr Augmentation kDistorted{2 << 16, 11000, 6500, 6000};
  const auto adam = [](OptimizerKind kind, double average) {
    // eps so large that noise in a gradient near 0 is not a step of full size.
    return Optimizer{.weight_decay = 0.01f, .kind = kind, .eps = 1e-3, .average_decay = average};
  };
  return {{"sgd with an average", {.optimizer = {.weight_decay = 0.01f, .average_decay = 0.9}}},
          {"nesterov", {.optimizer = {.weight_decay = 0.01f, .kind = OptimizerKind::kNesterov}}},
          {"adam", {.optimizer = adam(OptimizerKind::kAdam, 0)}},
          {"adamw, all at once",
           {.optimizer = adam(OptimizerKind::kAdamW, 0.8),
            .augmentation = kDistorted,
            .label_smoothing = 0.1f}},
          {"label smoothing", {.label_smoothing = 0.2f}},
          {"augmentation", {.augmentation = kDistorted}}};
}

// What is left of two epochs at changing rates.
struct Trained {
  std::vector<double> losses;
  std::vector<std::vector<float>> states;
  double test_loss = 0;
  std::vector<float> logits;
  bool operator==(const Trained&) const = default;
};

// Samples to train on and to test with, and the steps of an epoch's first slice; the rest is
// another, whose rates are its own.
struct Extent {
  int train = 110;
  int test = 30;
  int first_slice = 1;
};

inline Trained train(Engine& engine, const Training& training, const Extent& extent = {}) {
  const auto test = random_dataset(extent.test, 6);
  engine.load(random_dataset(extent.train, 5), test);
  engine.set_state(State::kParameters, initial_parameters(engine.plan(), 1));
  Training with_seed = training;
  with_seed.seed = 8;
  engine.configure(with_seed);
  const int steps = steps_per_epoch(extent.train, engine.plan().batch);
  const double lr = has_second_moment(training.optimizer.kind) ? 0.002 : 0.02;
  Trained trained;
  for (int epoch = 1, t = 1; epoch <= 2; ++epoch) {
    std::vector<StepRates> rates;
    for (int i = 0; i < steps; ++i, ++t) {
      rates.push_back(step_rates(training.optimizer, lr / t, t));
    }
    for (const auto& [begin, end] :
         {std::pair(0, extent.first_slice), std::pair(extent.first_slice, steps)}) {
      if (begin == end) continue;
      const auto slice = std::span(rates).subspan(size_t(begin), size_t(end - begin));
      for (const Metrics& m : engine.train(epoch, begin, slice)) trained.losses.push_back(m.loss());
    }
  }
  for (const State which : kStates) trained.states.push_back(engine.state(which));
  trained.test_loss = engine.evaluate(Split::kHeldOut).loss();
  trained.logits = engine.predict(test->images);
  return trained;
}

inline void expect_near(const Trained& actual, const Trained& expected, const std::string& what) {
  EXPECT_TRUE(is_near(actual.losses, expected.losses, 2e-5)) << what;
  EXPECT_TRUE(std::abs(actual.test_loss - expected.test_loss) <= 2e-5 * expected.test_loss) << what;
  EXPECT_TRUE(is_near(actual.logits, expected.logits, 1e-4)) << what;
  for (size_t i = 0; i < expected.states.size(); ++i) {
    EXPECT_TRUE(is_near(actual.states[i], expected.states[i], 1e-4)) << what << ", state " << i;
  }
}

}  // namespace digitron::testing
