#include "host/reference_engine.h"

#include <algorithm>

#include "host/permutation.h"
#include "host/reference_ops.h"
#include "host/reference_optimizer.h"

namespace digitron {

template <class T>
ReferenceEngine<T>::ReferenceEngine(const Plan& plan)
    : plan_(plan),
      gradients_(plan.parameter_floats),
      x_(plan.layers.size() + 1),
      dx_(plan.layers.size() + 1),
      winner_(plan.layers.size()) {
  for (std::vector<T>& buffer : state_) buffer.resize(plan.parameter_floats);
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

// images (count, 28, 28) -> x_.back(): logits (count, kClasses).
template <class T>
void ReferenceEngine<T>::forward(std::span<const uint8_t> images,
                                 const std::vector<T>& parameters) {
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
    const T* w = nullptr;
    const T* b = nullptr;
    if (layer.weight >= 0) {
      w = parameters.data() + plan_.parameters[layer.weight].offset;
      b = parameters.data() + plan_.parameters[layer.weight + 1].offset;
    }
    if (const auto* conv = std::get_if<Conv2d>(&layer.layer)) {
      reference::conv_forward(y, x, w, b, *conv, layer.in, layer.out, n);
    } else if (const auto* pool = std::get_if<MaxPool2d>(&layer.layer)) {
      winner_[l].resize(x_[l + 1].size());
      reference::maxpool_forward(y, winner_[l].data(), x, *pool, layer.in, layer.out, n);
    } else if (std::holds_alternative<Linear>(layer.layer)) {
      reference::linear_forward(y, x, w, b, layer.in.count(), layer.out.count(), n);
    } else {
      reference::relu_forward(y, x, x_[l + 1].size());
    }
  }
}

// dx_.back(): dlogits -> gradients_.
template <class T>
void ReferenceEngine<T>::backward(int n) {
  for (size_t l = plan_.layers.size(); l-- > 0;) {
    const PlannedLayer& layer = plan_.layers[l];
    dx_[l].resize(x_[l].size());
    T* dx = dx_[l].data();
    const T* dy = dx_[l + 1].data();
    const T* x = x_[l].data();
    const T* w = nullptr;
    T* dw = nullptr;
    T* db = nullptr;
    if (layer.weight >= 0) {
      w = flat(FlatState::kParameters).data() + plan_.parameters[layer.weight].offset;
      dw = gradients_.data() + plan_.parameters[layer.weight].offset;
      db = gradients_.data() + plan_.parameters[layer.weight + 1].offset;
    }
    if (const auto* conv = std::get_if<Conv2d>(&layer.layer)) {
      reference::conv_backward(dx, dw, db, dy, x, w, *conv, layer.in, layer.out, n);
    } else if (std::holds_alternative<MaxPool2d>(layer.layer)) {
      reference::maxpool_backward(dx, dy, winner_[l].data(), layer.in, layer.out, n);
    } else if (std::holds_alternative<Linear>(layer.layer)) {
      reference::linear_backward(dx, dw, db, dy, x, w, layer.in.count(), layer.out.count(), n);
    } else {
      reference::relu_backward(dx, dy, x_[l + 1].data(), x_[l].size());
    }
  }
}

template <class T>
Metrics ReferenceEngine<T>::compute_gradients(std::span<const uint8_t> images,
                                              std::span<const uint8_t> labels) {
  const int n = static_cast<int>(labels.size());
  forward(images, flat(FlatState::kParameters));
  dx_.back() = x_.back();
  Metrics metrics;
  metrics.count = n;
  metrics.loss_sum = static_cast<double>(reference::softmax_cross_entropy(
      dx_.back().data(), &metrics.correct, labels.data(), n, T(smoothing_)));
  backward(n);
  return metrics;
}

template <class T>
std::vector<Metrics> ReferenceEngine<T>::train(int epoch, int first,
                                               std::span<const StepRates> rates) {
  const int count = train_->count();
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
    steps.push_back(compute_gradients(images_, labels_));
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
            flat(evaluated()));
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
  forward(images, flat(evaluated()));
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
