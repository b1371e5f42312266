#include "host/reference/reference_engine.h"

#include <algorithm>

#include "host/reference/reference_ops.h"
#include "host/reference/reference_optimizer.h"
#include "host/shared/permutation.h"

namespace digitron {

template <class T>
ReferenceEngine<T>::ReferenceEngine(const Plan& plan)
    : plan_(plan),
      gradients_(plan.parameter_floats),
      x_(plan.layers.size() + 1),
      dx_(plan.layers.size() + 1),
      winner_(plan.layers.size()),
      batch_statistics_(plan.layers.size()) {
  for (const State which : kStates) flat(which).resize(state_floats(plan, which));
  set_state(State::kRunningStatistics, initial_buffers(plan));
}

template <class T>
std::string ReferenceEngine<T>::description() const {
  return std::string("reference, ") + (sizeof(T) == 8 ? "double" : "single") + " precision";
}

template <class T>
void ReferenceEngine<T>::load(std::shared_ptr<const Dataset> train,
                              std::shared_ptr<const Dataset> held_out) {
  train_ = std::move(train);
  held_out_ = std::move(held_out);
}

template <class T>
void ReferenceEngine<T>::configure(const Training& training) {
  const Optimizer before = training_.optimizer;
  training_ = training;
  for (const State which : kStates) {
    if (!uses(training.optimizer, which)) flat(which).assign(plan_.parameter_floats, T(0));
  }
  if (uses(training.optimizer, State::kAverage) && !uses(before, State::kAverage)) {
    flat(State::kAverage) = flat(State::kParameters);
  }
}

template <class T>
void ReferenceEngine<T>::set_state(State which, std::span<const float> values) {
  if (uses(training_.optimizer, which)) flat(which).assign(values.begin(), values.end());
}

template <class T>
std::vector<float> ReferenceEngine<T>::state(State which) const {
  return {flat(which).begin(), flat(which).end()};
}

template <class T>
void ReferenceEngine<T>::gather(const Dataset& data, const std::vector<uint32_t>& indices,
                                int epoch) {
  images_.clear();
  labels_.clear();
  for (const uint32_t index : indices) {
    const uint8_t* image = data.images.data() + size_t(index) * kImagePixels;
    const AffineMap map =
        draw_map(training_.augmentation, training_.seed, static_cast<uint32_t>(epoch), index);
    for (int i = 0; i < kImagePixels; ++i) {
      images_.push_back(training_.augmentation.any()
                            ? sample(image, map, i / kImageSide, i % kImageSide)
                            : image[i]);
    }
    labels_.push_back(data.labels[index]);
  }
}

template <class T>
struct ReferenceEngine<T>::LayerPass {
  ReferenceEngine& engine;
  const Pass& pass;
  size_t l;

  const PlannedLayer& layer() const { return engine.plan_.layers[l]; }
  const Shape& in() const { return layer().in; }
  const Shape& out() const { return layer().out; }
  const T* x() const { return engine.x_[l].data(); }
  T* y() const { return engine.x_[l + 1].data(); }
  T* dx() const { return engine.dx_[l].data(); }
  const T* dy() const { return engine.dx_[l + 1].data(); }

  T* weight(std::vector<T>& flat) const { return flat.data() + parameter(true).offset; }
  T* bias(std::vector<T>& flat) const { return flat.data() + parameter(false).offset; }
  const T* w() const { return weight(engine.flat(pass.parameters)); }
  const T* b() const { return bias(engine.flat(pass.parameters)); }
  T* dw() const { return weight(engine.gradients_); }
  T* db() const { return bias(engine.gradients_); }
  T* running_mean() const { return running(layer().statistics->mean); }
  T* running_variance() const { return running(layer().statistics->variance); }
  BatchStatistics& batch_statistics() const { return engine.batch_statistics_[l]; }

  DropoutDraw draw() const { return {engine.training_.seed, pass.step, static_cast<uint32_t>(l)}; }

 private:
  const Parameter& parameter(bool weight) const {
    const PlannedLayer::Parameters& of_layer = *layer().parameters;
    return engine.plan_.parameters[weight ? of_layer.weight : of_layer.bias];
  }
  T* running(size_t buffer) const {
    return engine.flat(State::kRunningStatistics).data() + engine.plan_.buffers[buffer].offset;
  }
};

template <class T>
struct ReferenceEngine<T>::Forward {
  LayerPass o;

  void operator()(const Conv2d& conv) const {
    reference::conv_forward(o.y(), o.x(), o.w(), o.b(), conv, o.in(), o.out(), o.pass.n);
  }
  void operator()(const MaxPool2d& pool) const {
    std::vector<size_t>& winner = o.engine.winner_[o.l];
    winner.resize(o.engine.x_[o.l + 1].size());
    reference::maxpool_forward(o.y(), winner.data(), o.x(), pool, o.in(), o.out(), o.pass.n);
  }
  void operator()(const Linear&) const {
    reference::linear_forward(o.y(), o.x(), o.w(), o.b(), o.in().count(), o.out().count(),
                              o.pass.n);
  }
  void operator()(const ReLU&) const {
    reference::relu_forward(o.y(), o.x(), o.engine.x_[o.l].size());
  }
  void operator()(const BatchNorm2d&) const {
    const T* mean = o.running_mean();
    const T* variance = o.running_variance();
    if (o.pass.training) {
      BatchStatistics& batch = o.batch_statistics();
      batch.mean.resize(size_t(o.in().channels));
      batch.variance.resize(size_t(o.in().channels));
      mean = batch.mean.data();
      variance = batch.variance.data();
      reference::batchnorm_statistics(batch.mean.data(), batch.variance.data(), o.x(), o.in(),
                                      o.pass.n);
    }
    reference::batchnorm_forward(o.y(), o.x(), mean, variance, o.w(), o.b(), o.in(), o.pass.n);
  }
  void operator()(const Dropout& dropout) const {
    reference::dropout(o.y(), o.x(), o.pass.training ? dropout.probability : 0.0f, o.draw(),
                       o.in().count(), o.pass.n);
  }
};

template <class T>
struct ReferenceEngine<T>::Backward {
  LayerPass o;

  void operator()(const Conv2d& conv) const {
    reference::conv_backward(o.dx(), o.dw(), o.db(), o.dy(), o.x(), o.w(), conv, o.in(), o.out(),
                             o.pass.n);
  }
  void operator()(const MaxPool2d&) const {
    reference::maxpool_backward(o.dx(), o.dy(), o.engine.winner_[o.l].data(), o.in(), o.out(),
                                o.pass.n);
  }
  void operator()(const Linear&) const {
    reference::linear_backward(o.dx(), o.dw(), o.db(), o.dy(), o.x(), o.w(), o.in().count(),
                               o.out().count(), o.pass.n);
  }
  void operator()(const ReLU&) const {
    reference::relu_backward(o.dx(), o.dy(), o.y(), o.engine.x_[o.l].size());
  }
  void operator()(const BatchNorm2d&) const {
    const BatchStatistics& batch = o.batch_statistics();
    reference::batchnorm_backward(o.dx(), o.dw(), o.db(), o.dy(), o.x(), batch.mean.data(),
                                  batch.variance.data(), o.w(), o.in(), o.pass.n);
  }
  void operator()(const Dropout& dropout) const {
    reference::dropout(o.dx(), o.dy(), dropout.probability, o.draw(), o.in().count(), o.pass.n);
  }
};

// images (n, 28, 28) -> x_.back(): logits (n, kClasses).
template <class T>
void ReferenceEngine<T>::forward(std::span<const uint8_t> images, const Pass& pass) {
  x_[0].resize(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    x_[0][i] = (T(images[i]) / 255 - T(kPixelMean)) / T(kPixelDeviation);
  }
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    x_[l + 1].resize(size_t(pass.n) * plan_.layers[l].out.count());
    std::visit(Forward{{*this, pass, l}}, plan_.layers[l].layer);
  }
}

// The running statistics take those of the last batch, of n samples.
template <class T>
void ReferenceEngine<T>::update_running_statistics(int n) {
  const Pass pass{n, State::kParameters, true};
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    const LayerPass at{*this, pass, l};
    if (!at.layer().statistics) continue;
    const BatchStatistics& batch = batch_statistics_[l];
    reference::batchnorm_update(at.running_mean(), at.running_variance(), batch.mean.data(),
                                batch.variance.data(), at.in().channels,
                                size_t(n) * at.in().height * at.in().width);
  }
}

// dx_.back(): the gradient of the logits -> gradients_. For the sake of plain loops down to the
// images, whose gradient nobody needs.
template <class T>
void ReferenceEngine<T>::backward(const Pass& pass) {
  for (size_t l = plan_.layers.size(); l-- > 0;) {
    dx_[l].resize(x_[l].size());
    std::visit(Backward{{*this, pass, l}}, plan_.layers[l].layer);
  }
}

template <class T>
Metrics ReferenceEngine<T>::loss_and_gradients(std::span<const uint8_t> images,
                                               std::span<const uint8_t> labels, uint32_t step) {
  const Pass pass{static_cast<int>(labels.size()), State::kParameters, true, step};
  forward(images, pass);
  dx_.back() = x_.back();
  Metrics metrics;
  metrics.count = pass.n;
  metrics.loss_sum = static_cast<double>(reference::softmax_cross_entropy(
      dx_.back().data(), &metrics.correct, labels.data(), pass.n, T(training_.label_smoothing)));
  backward(pass);
  return metrics;
}

template <class T>
Metrics ReferenceEngine<T>::compute_gradients(std::span<const uint8_t> images,
                                              std::span<const uint8_t> labels) {
  require_trainable(plan_, static_cast<int>(labels.size()));
  return loss_and_gradients(images, labels, 0);
}

template <class T>
std::vector<Metrics> ReferenceEngine<T>::train(int epoch, int first,
                                               std::span<const StepRates> rates) {
  const int count = train_->count();
  require_trainable(plan_, count);
  const Permutation permutation(training_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(count), training_.shuffle);
  std::vector<Metrics> steps;
  for (int step = first; const StepRates& step_rates : rates) {
    std::vector<uint32_t> indices;
    const int end = std::min(count, (step + 1) * plan_.batch);
    for (int i = step * plan_.batch; i < end; ++i) {
      indices.push_back(permutation(static_cast<uint32_t>(i)));
    }
    gather(*train_, indices, epoch);
    steps.push_back(
        loss_and_gradients(images_, labels_, global_step(epoch, step, count, plan_.batch)));
    update_running_statistics(static_cast<int>(labels_.size()));
    reference::update(flat(State::kParameters).data(), flat(State::kMomentum).data(),
                      flat(State::kSecondMoment).data(), flat(State::kAverage).data(),
                      gradients_.data(), gradients_.size(), training_.optimizer, step_rates);
    ++step;
  }
  return steps;
}

template <class T>
Metrics ReferenceEngine<T>::evaluate(Split split) {
  const Dataset& data = split == Split::kTrain ? *train_ : *held_out_;
  Metrics total;
  for (int i = 0; i < data.count(); i += plan_.batch) {
    const int n = std::min(plan_.batch, data.count() - i);
    forward(std::span(data.images).subspan(size_t(i) * kImagePixels, size_t(n) * kImagePixels),
            {n, evaluated_state(training_.optimizer), false});
    Metrics metrics;
    metrics.count = n;
    metrics.loss_sum = static_cast<double>(reference::softmax_cross_entropy(
        x_.back().data(), &metrics.correct, data.labels.data() + i, n, T(0)));
    total += metrics;
  }
  return total;
}

template <class T>
std::vector<float> ReferenceEngine<T>::predict(std::span<const uint8_t> images) {
  const int n = static_cast<int>(images.size() / kImagePixels);
  forward(images, {n, evaluated_state(training_.optimizer), false});
  return {x_.back().begin(), x_.back().end()};
}

template class ReferenceEngine<double>;
template class ReferenceEngine<float>;

}  // namespace digitron
