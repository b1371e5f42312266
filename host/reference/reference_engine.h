// The engine that every other is checked against: plain loops over plain arrays, one thread.
#pragma once

#include "host/core/engine.h"
#include "host/core/step_recorder.h"
#include "host/reference/reference_ops.h"

namespace digitron {

// T: double, the only one that reference_engine.cpp instantiates.
template <class T>
class ReferenceEngine final : public Engine {
 public:
  explicit ReferenceEngine(const Plan& plan);

  const Plan& plan() const override { return plan_; }
  EngineDescription describe() const override;
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> held_out) override;
  void configure(const Training& training) override;
  const Training& training() const override { return training_; }
  void set_state(State which, std::span<const float> values) override;
  std::vector<float> state(State which) const override;
  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override;
  Metrics evaluate(Split split) override;
  std::vector<float> predict(std::span<const uint8_t> images) override;
  Profile profile(int epoch, int first, std::span<const StepRates> rates, bool trace) override;

  // For tests, in the engine's own precision. The gradient of the mean loss over one batch, as
  // training takes it at global step 0; parameters and running statistics stay. Throws InputError
  // where require_trainable does.
  Metrics compute_gradients(std::span<const uint8_t> images, std::span<const uint8_t> labels);
  const std::vector<T>& exact_gradients() const { return gradients_; }
  std::vector<T>& exact_parameters() { return buffer(State::kParameters); }
  // The input of a layer, (N, C, H, W), in the newest pass.
  const std::vector<T>& input_of(size_t layer) const { return x_[layer]; }

 private:
  std::vector<T>& buffer(State which) { return state_[static_cast<size_t>(which)]; }
  const std::vector<T>& buffer(State which) const { return state_[static_cast<size_t>(which)]; }

  // What a layer's operations work on in one pass.
  struct Pass {
    int n;              // samples
    State parameters;   // which of the states the weights come from
    bool training;      // else evaluation: running statistics, and nothing is dropped
    uint32_t step = 0;  // dropout draws with it
    StepRecorder* recorder = nullptr;
  };
  // A batch normalisation's statistics of the newest batch, (C) each.
  struct BatchStatistics {
    std::vector<T> mean, variance;
  };

  // What a layer works on in a pass: x_[layer] -> x_[layer + 1], and back dx_[layer + 1] ->
  // dx_[layer].
  reference::Operands<T> operands(size_t layer, const Pass& pass);
  void forward(std::span<const uint8_t> images, const Pass& pass);
  void backward(const Pass& pass);
  Metrics loss_and_gradients(std::span<const uint8_t> images, std::span<const uint8_t> labels,
                             uint32_t step, StepRecorder* recorder);
  void update_running_statistics(int n, StepRecorder* recorder);
  // Trains. Null: nobody asks when.
  std::vector<Metrics> run_steps(int epoch, int first, std::span<const StepRates> rates,
                                 StepRecorder* recorder);
  void gather(const Dataset& data, const std::vector<uint32_t>& indices, int epoch);

  Plan plan_;
  PixelForm form_;
  Training training_;
  std::shared_ptr<const Dataset> train_, held_out_;
  std::vector<T> state_[kStateCount];  // by State
  std::vector<T> gradients_;
  std::vector<std::vector<T>> x_;                  // x_[l]: input of layer l; the last: the logits
  std::vector<std::vector<T>> dx_;                 // their gradients
  std::vector<std::vector<size_t>> winner_;        // of each max-pooling's outputs
  std::vector<BatchStatistics> batch_statistics_;  // of each batch normalisation
  std::vector<uint8_t> images_, labels_;           // the gathered batch
};

extern template class ReferenceEngine<double>;

}  // namespace digitron
