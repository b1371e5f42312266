// An engine that trains nothing: tests say what each step gives, and see what it was asked for.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "host/engine.h"

namespace digitron::testing {

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(const Plan& plan)
      : plan_(plan), parameters_(plan.parameter_floats, 0.0f), buffers_(initial_buffers(plan)) {}

  // What a step of the run (from 1) and an evaluation answer.
  std::function<Metrics(int64_t)> on_step = [](int64_t) { return Metrics{2.0, 1, 4}; };
  std::function<Metrics()> on_evaluate = [] { return Metrics{3.0, 4, 5}; };

  struct Slice {
    int epoch, first, last;
  };
  std::vector<Slice> slices;
  int64_t steps = 0;
  int evaluations = 0;
  Sgd sgd;
  Order order;

  const Plan& plan() const override { return plan_; }
  std::string description() const override { return "fake"; }
  void load(std::shared_ptr<const Dataset>, std::shared_ptr<const Dataset>) override {}
  void set_parameters(std::span<const float> p) override { parameters_.assign(p.begin(), p.end()); }
  std::vector<float> parameters() const override { return parameters_; }
  void set_momentum(std::span<const float>) override {}
  std::vector<float> momentum() const override { return {}; }
  void set_buffers(std::span<const float> b) override { buffers_.assign(b.begin(), b.end()); }
  std::vector<float> buffers() const override { return buffers_; }
  void set_optimizer(const Sgd& value) override { sgd = value; }
  void set_order(const Order& value) override { order = value; }

  std::vector<Metrics> train(int epoch, int first, int last) override {
    slices.push_back({epoch, first, last});
    std::vector<Metrics> metrics;
    for (int step = first; step < last; ++step) metrics.push_back(on_step(++steps));
    // A checkpoint says by its first parameter which step it is of.
    parameters_[0] = static_cast<float>(steps);
    return metrics;
  }
  Metrics evaluate(Split) override {
    ++evaluations;
    return on_evaluate();
  }
  std::vector<float> predict(std::span<const uint8_t>) override { return {}; }
  std::vector<float> gradients(std::span<const uint8_t>, std::span<const uint8_t>) override {
    return {};
  }

 private:
  Plan plan_;
  std::vector<float> parameters_, buffers_;
};

}  // namespace digitron::testing
