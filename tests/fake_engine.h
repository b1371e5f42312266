// An engine that trains nothing: tests say what each step gives, and see what it was asked for.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/core/engine.h"

namespace digitron::testing {

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(const Plan& plan) : plan_(plan) {
    set_state(State::kRunningStatistics, initial_buffers(plan));
    set_state(State::kParameters, std::vector<float>(plan.parameter_floats));
  }

  // What a step of the run (from 1) and an evaluation answer.
  std::function<Metrics(int64_t)> on_step = [](int64_t) { return Metrics{2.0, 1, 4}; };
  std::function<Metrics()> on_evaluate = [] { return Metrics{3.0, 4, 5}; };
  std::vector<float> logits;  // what predict answers

  struct Slice {
    int epoch, first, last;
  };
  std::vector<Slice> slices;
  int64_t steps = 0;
  int evaluations = 0;
  int predictions = 0;
  double seconds = -1;           // what the device's clock says of a call
  std::vector<StepRates> rates;  // of the steps so far
  std::vector<Detail> more;      // its details
  Profile measured;              // its phases

  const Plan& plan() const override { return plan_; }
  EngineDescription describe() const override { return {.line = "fake", .details = more}; }
  void load(std::shared_ptr<const Dataset>, std::shared_ptr<const Dataset>) override {}
  void set_state(State which, std::span<const float> values) override {
    states_[which].assign(values.begin(), values.end());
  }
  std::vector<float> state(State which) const override {
    const auto at = states_.find(which);
    return at == states_.end() ? std::vector<float>(state_floats(plan_, which)) : at->second;
  }
  void configure(const Training& training) override { training_ = training; }
  const Training& training() const override { return training_; }

  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> step_rates) override {
    slices.push_back({epoch, first, first + static_cast<int>(step_rates.size())});
    std::vector<Metrics> metrics;
    for (const StepRates& each : step_rates) {
      rates.push_back(each);
      metrics.push_back(on_step(++steps));
    }
    // A checkpoint says by its first parameter which step it is of.
    states_[State::kParameters][0] = static_cast<float>(steps);
    return metrics;
  }
  Metrics evaluate(Split) override {
    ++evaluations;
    return on_evaluate();
  }
  Timing timing() const override { return seconds < 0 ? Timing{} : Timing{true, {seconds}}; }
  Profile profile(int, int, std::span<const StepRates> step_rates, bool) override {
    rates.assign(step_rates.begin(), step_rates.end());
    return measured;
  }
  std::vector<float> predict(std::span<const uint8_t>) override {
    ++predictions;
    return logits;
  }

 private:
  Plan plan_;
  std::map<State, std::vector<float>> states_;
  Training training_;
};

}  // namespace digitron::testing
