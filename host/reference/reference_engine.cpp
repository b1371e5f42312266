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
      statistics_(plan.layers.size()) {
  for (std::vector<T>& buffer : state_) buffer.resize(plan.parameter_floats);
  set_buffers(initial_buffers(plan));
}

template <class T>
std::string ReferenceEngine<T>::description() const {
  return std::string("reference, ") + (sizeof(T) == 8 ? "double" : "single") + " precision";
}

template <class T>
void ReferenceEngine<T>::load(std::shared_ptr<const Dataset> train,
                              std::shared_ptr<const Dataset> test) {
  train_ = std::move(train);
  test_ = std::move(test);
}

template <class T>
void ReferenceEngine<T>::set_state(FlatState which, std::span<const float> values) {
  if (uses(optimizer_, which)) flat(which).assign(values.begin(), values.end());
}

template <class T>
void ReferenceEngine<T>::set_optimizer(const Optimizer& optimizer) {
  optimizer_ = optimizer;
  for (const FlatState which : kFlatStates) {
    if (!uses(optimizer, which)) flat(which).assign(plan_.parameter_floats, T(0));
  }
}

template <class T>
std::vector<float> ReferenceEngine<T>::state(FlatState which) const {
  return {flat(which).begin(), flat(which).end()};
}

template <class T>
void ReferenceEngine<T>::set_buffers(std::span<const float> buffers) {
  buffers_.assign(buffers.begin(), buffers.end());
}

template <class T>
std::vector<float> ReferenceEngine<T>::buffers() const {
  return {buffers_.begin(), buffers_.end()};
}

template <class T>
void ReferenceEngine<T>::gather(const Dataset& data, const std::vector<uint32_t>& indices,
                                int epoch) {
  images_.clear();
  labels_.clear();
  for (const uint32_t index : indices) {
    const uint8_t* image = data.images.data() + size_t(index) * kImagePixels;
    const AffineMap map = draw_map(augmentation_, order_.seed, static_cast<uint32_t>(epoch), index);
    for (int i = 0; i < kImagePixels; ++i) {
      images_.push_back(augmentation_.any() ? sample(image, map, i / kImageSide, i % kImageSide)
                                            : image[i]);
    }
    labels_.push_back(data.labels[index]);
  }
}

template <class T>
typename ReferenceEngine<T>::Weights ReferenceEngine<T>::weights(std::vector<T>& flat,
                                                                 const PlannedLayer& layer) const {
  if (layer.weight < 0) return {};
  const auto weight = static_cast<size_t>(layer.weight);
  return {flat.data() + plan_.parameters[weight].offset,
          flat.data() + plan_.parameters[weight + 1].offset};
}

// images (count, 28, 28) -> x_.back(): logits (count, kClasses).
template <class T>
void ReferenceEngine<T>::forward(std::span<const uint8_t> images, FlatState parameters,
                                 const DropoutDraw* draw) {
  const int n = static_cast<int>(images.size() / kImagePixels);
  x_[0].resize(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    x_[0][i] = (T(images[i]) / 255 - T(kPixelMean)) / T(kPixelDeviation);
  }
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    const PlannedLayer& layer = plan_.layers[l];
    x_[l + 1].resize(size_t(n) * layer.out.count());
    const T* x = x_[l].data();
    T* y = x_[l + 1].data();
    const auto [w, b] = weights(flat(parameters), layer);
    if (const auto* conv = std::get_if<Conv2d>(&layer.layer)) {
      reference::conv_forward(y, x, w, b, *conv, layer.in, layer.out, n);
    } else if (const auto* pool = std::get_if<MaxPool2d>(&layer.layer)) {
      winner_[l].resize(x_[l + 1].size());
      reference::maxpool_forward(y, winner_[l].data(), x, *pool, layer.in, layer.out, n);
    } else if (std::holds_alternative<Linear>(layer.layer)) {
      reference::linear_forward(y, x, w, b, layer.in.count(), layer.out.count(), n);
    } else if (std::holds_alternative<BatchNorm2d>(layer.layer)) {
      forward_batchnorm(l, n, flat(parameters), draw != nullptr);
    } else if (const auto* dropout = std::get_if<Dropout>(&layer.layer)) {
      const DropoutDraw mine{draw ? draw->seed : 0, draw ? draw->step : 0,
                             static_cast<uint32_t>(l)};
      reference::dropout(y, x, draw ? dropout->probability : 0.0f, mine, layer.in.count(), n);
    } else {
      reference::relu_forward(y, x, x_[l + 1].size());
    }
  }
}

template <class T>
void ReferenceEngine<T>::forward_batchnorm(size_t l, int n, std::vector<T>& parameters,
                                           bool training) {
  const PlannedLayer& layer = plan_.layers[l];
  const auto buffer = static_cast<size_t>(layer.buffer);
  const T* mean = buffers_.data() + plan_.buffers[buffer].offset;
  const T* variance = buffers_.data() + plan_.buffers[buffer + 1].offset;
  if (training) {
    Statistics& of_batch = statistics_[l];
    of_batch.mean.resize(size_t(layer.in.channels));
    of_batch.variance.resize(size_t(layer.in.channels));
    reference::batchnorm_statistics(of_batch.mean.data(), of_batch.variance.data(), x_[l].data(),
                                    layer.in, n);
    mean = of_batch.mean.data();
    variance = of_batch.variance.data();
  }
  const auto [w, b] = weights(parameters, layer);
  reference::batchnorm_forward(x_[l + 1].data(), x_[l].data(), mean, variance, w, b, layer.in, n);
}

// The running statistics take those of the last batch, of n samples.
template <class T>
void ReferenceEngine<T>::update_statistics(int n) {
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    const PlannedLayer& layer = plan_.layers[l];
    if (layer.buffer < 0) continue;
    const auto buffer = static_cast<size_t>(layer.buffer);
    reference::batchnorm_update(buffers_.data() + plan_.buffers[buffer].offset,
                                buffers_.data() + plan_.buffers[buffer + 1].offset,
                                statistics_[l].mean.data(), statistics_[l].variance.data(),
                                layer.in.channels, size_t(n) * layer.in.height * layer.in.width);
  }
}

// dx_.back(): dlogits -> gradients_.
template <class T>
void ReferenceEngine<T>::backward(int n, const DropoutDraw& draw) {
  for (size_t l = plan_.layers.size(); l-- > 0;) {
    const PlannedLayer& layer = plan_.layers[l];
    dx_[l].resize(x_[l].size());
    T* dx = dx_[l].data();
    const T* dy = dx_[l + 1].data();
    const T* x = x_[l].data();
    const T* w = weights(flat(FlatState::kParameters), layer).w;
    const auto [dw, db] = weights(gradients_, layer);
    if (const auto* conv = std::get_if<Conv2d>(&layer.layer)) {
      reference::conv_backward(dx, dw, db, dy, x, w, *conv, layer.in, layer.out, n);
    } else if (std::holds_alternative<MaxPool2d>(layer.layer)) {
      reference::maxpool_backward(dx, dy, winner_[l].data(), layer.in, layer.out, n);
    } else if (std::holds_alternative<Linear>(layer.layer)) {
      reference::linear_backward(dx, dw, db, dy, x, w, layer.in.count(), layer.out.count(), n);
    } else if (std::holds_alternative<BatchNorm2d>(layer.layer)) {
      reference::batchnorm_backward(dx, dw, db, dy, x, statistics_[l].mean.data(),
                                    statistics_[l].variance.data(), w, layer.in, n);
    } else if (const auto* dropout = std::get_if<Dropout>(&layer.layer)) {
      const DropoutDraw mine{draw.seed, draw.step, static_cast<uint32_t>(l)};
      reference::dropout(dx, dy, dropout->probability, mine, layer.in.count(), n);
    } else {
      reference::relu_backward(dx, dy, x_[l + 1].data(), x_[l].size());
    }
  }
}

template <class T>
Metrics ReferenceEngine<T>::loss_and_gradients(std::span<const uint8_t> images,
                                               std::span<const uint8_t> labels, uint32_t step) {
  const int n = static_cast<int>(labels.size());
  const DropoutDraw draw{order_.seed, step, 0};
  forward(images, FlatState::kParameters, &draw);
  dx_.back() = x_.back();
  Metrics metrics;
  metrics.count = n;
  metrics.loss_sum = static_cast<double>(reference::softmax_cross_entropy(
      dx_.back().data(), &metrics.correct, labels.data(), n, T(smoothing_)));
  backward(n, draw);
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
  const Permutation permutation(order_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(count), order_.shuffle);
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
    update_statistics(static_cast<int>(labels_.size()));
    reference::update(flat(FlatState::kParameters).data(), flat(FlatState::kMomentum).data(),
                      flat(FlatState::kSecondMoment).data(), flat(FlatState::kAverage).data(),
                      gradients_.data(), gradients_.size(), optimizer_, step_rates);
    ++step;
  }
  return steps;
}

template <class T>
Metrics ReferenceEngine<T>::evaluate(Split split) {
  const Dataset& data = split == Split::kTrain ? *train_ : *test_;
  Metrics total;
  for (int i = 0; i < data.count(); i += plan_.batch) {
    const int n = std::min(plan_.batch, data.count() - i);
    forward(std::span(data.images).subspan(size_t(i) * kImagePixels, size_t(n) * kImagePixels),
            evaluated(), nullptr);
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
  forward(images, evaluated(), nullptr);
  return {x_.back().begin(), x_.back().end()};
}

template <class T>
std::vector<float> ReferenceEngine<T>::gradients(std::span<const uint8_t> images,
                                                 std::span<const uint8_t> labels) {
  compute_gradients(images, labels);
  return {gradients_.begin(), gradients_.end()};
}

template class ReferenceEngine<double>;
template class ReferenceEngine<float>;

}  // namespace digitron
