// The engine that every other is checked against: plain loops over plain arrays, one thread.
#pragma once

#include "host/core/engine.h"
#include "host/shared/dropout.h"

namespace digitron {

template <class T>
class ReferenceEngine final : public Engine {
 public:
  explicit ReferenceEngine(const Plan& plan);

  const Plan& plan() const override { return plan_; }
  std::string description() const override;
  std::string precision() const override { return sizeof(T) == 8 ? "fp64" : "fp32"; }
  void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) override;
  void set_state(FlatState which, std::span<const float> values) override;
  std::vector<float> state(FlatState which) const override;
  void set_optimizer(const Optimizer& optimizer) override;
  const Optimizer& optimizer() const override { return optimizer_; }
  void set_buffers(std::span<const float> buffers) override;
  std::vector<float> buffers() const override;
  void set_order(const Order& order) override { order_ = order; }
  void set_augmentation(const Augmentation& limits) override { augmentation_ = limits; }
  void set_label_smoothing(float smoothing) override { smoothing_ = smoothing; }
  using Engine::train;
  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override;
  Metrics evaluate(Split split) override;
  std::vector<float> predict(std::span<const uint8_t> images) override;
  std::vector<float> gradients(std::span<const uint8_t> images,
                               std::span<const uint8_t> labels) override;

  // The same two in the engine's own precision, for finite differences.
  std::vector<T>& exact_parameters() { return flat(FlatState::kParameters); }
  Metrics compute_gradients(std::span<const uint8_t> images, std::span<const uint8_t> labels);
  const std::vector<T>& exact_gradients() const { return gradients_; }
  // (N, C, H, W) of the last pass, of all its samples.
  const std::vector<T>& input_of(size_t layer) const { return x_[layer]; }

 private:
  std::vector<T>& flat(FlatState which) { return state_[static_cast<size_t>(which)]; }
  const std::vector<T>& flat(FlatState which) const { return state_[static_cast<size_t>(which)]; }
  // What evaluate and predict use.
  FlatState evaluated() const {
    return optimizer_.average_decay > 0 ? FlatState::kAverage : FlatState::kParameters;
  }
  // Statistics of a batch that went through a batch normalisation, (C) each.
  struct Statistics {
    std::vector<T> mean, variance;
  };
  struct Weights {
    T* w = nullptr;
    T* b = nullptr;
  };

  // Evaluation mode when `draw` is null; otherwise training's, dropout drawn with seed and step.
  void forward(std::span<const uint8_t> images, FlatState parameters, const DropoutDraw* draw);
  void forward_batchnorm(size_t l, int n, std::vector<T>& parameters, bool training);
  void backward(int count, const DropoutDraw& draw);
  Metrics loss_and_gradients(std::span<const uint8_t> images, std::span<const uint8_t> labels,
                             uint32_t step);
  void update_statistics(int n);
  Weights weights(std::vector<T>& flat, const PlannedLayer& layer) const;
  void gather(const Dataset& data, const std::vector<uint32_t>& indices, int epoch);

  Plan plan_;
  Optimizer optimizer_;
  Order order_;
  Augmentation augmentation_;
  float smoothing_ = 0;
  std::shared_ptr<const Dataset> train_, test_;
  std::vector<T> state_[4];  // by FlatState
  std::vector<T> gradients_, buffers_;
  std::vector<std::vector<T>> x_;            // x_[l]: input of layer l; the last one: the logits
  std::vector<std::vector<T>> dx_;           // their gradients
  std::vector<std::vector<size_t>> winner_;  // of max-pooling layers
  std::vector<Statistics> statistics_;       // of batch normalisations
  std::vector<uint8_t> images_, labels_;     // the gathered batch
};

extern template class ReferenceEngine<double>;
extern template class ReferenceEngine<float>;

}  // namespace digitron
