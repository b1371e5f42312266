#include "host/reference/reference_engine.h"

#include <algorithm>

#include "host/reference/reference_optimizer.h"
#include "host/shared/permutation.h"

namespace digitron {

template <class T>
ReferenceEngine<T>::ReferenceEngine(const Plan& plan)
    : plan_(plan),
      form_(pixel_form(plan.model.task)),
      gradients_(plan.parameter_floats),
      x_(plan.layers.size() + 1),
      dx_(plan.layers.size() + 1),
      winner_(plan.layers.size()),
      batch_statistics_(plan.layers.size()) {
  for (const State which : kStates) buffer(which).resize(state_floats(plan, which));
  set_state(State::kRunningStatistics, initial_buffers(plan));
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    if (!plan.layers[l].statistics) continue;
    const auto channels = static_cast<size_t>(plan.layers[l].in.channels);
    batch_statistics_[l] = {std::vector<T>(channels), std::vector<T>(channels)};
  }
}

template <class T>
EngineDescription ReferenceEngine<T>::describe() const {
  const bool wide = sizeof(T) == 8;
  return {.line = std::string("reference, ") + (wide ? "double" : "single") + " precision",
          .precision = wide ? "fp64" : "fp32"};
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
    if (!uses(training.optimizer, which)) buffer(which).assign(plan_.parameter_floats, T(0));
  }
  if (uses(training.optimizer, State::kAverage) && !uses(before, State::kAverage)) {
    buffer(State::kAverage) = buffer(State::kParameters);
  }
}

template <class T>
void ReferenceEngine<T>::set_state(State which, std::span<const float> values) {
  if (uses(training_.optimizer, which)) buffer(which).assign(values.begin(), values.end());
}

template <class T>
std::vector<float> ReferenceEngine<T>::state(State which) const {
  return {buffer(which).begin(), buffer(which).end()};
}

template <class T>
void ReferenceEngine<T>::gather(const Dataset& data, const std::vector<uint32_t>& indices,
                                int epoch) {
  images_.clear();
  labels_.clear();
  for (const uint32_t index : indices) {
    const uint8_t* plane = data.images.data() + size_t(index) * plan_.pixels();
    const AffineMap map = draw_map(training_.augmentation, form_, training_.seed,
                                   static_cast<uint32_t>(epoch), index);
    for (int c = 0; c < form_.channels; ++c, plane += form_.plane()) {
      for (int i = 0; i < form_.plane(); ++i) {
        images_.push_back(training_.augmentation.any()
                              ? sample(plane, form_, map, i / form_.width, i % form_.width)
                              : plane[i]);
      }
    }
    labels_.push_back(data.labels[index]);
  }
}

template <class T>
reference::Operands<T> ReferenceEngine<T>::operands(size_t l, const Pass& pass) {
  const PlannedLayer& layer = plan_.layers[l];
  reference::Operands<T> o{};
  o.in = layer.in;
  o.out = layer.out;
  o.n = pass.n;
  o.training = pass.training;
  o.x = x_[l].data();
  o.y = x_[l + 1].data();
  o.dx = dx_[l].data();
  o.dy = dx_[l + 1].data();
  o.winner = winner_[l].data();
  o.draw = {training_.seed, pass.step, static_cast<uint32_t>(l)};
  if (layer.parameters) {
    const size_t weight = plan_.weight(layer).offset;
    const size_t bias = plan_.bias(layer).offset;
    o.w = buffer(pass.parameters).data() + weight;
    o.b = buffer(pass.parameters).data() + bias;
    o.dw = gradients_.data() + weight;
    o.db = gradients_.data() + bias;
  }
  if (layer.statistics) {
    T* running = buffer(State::kRunningStatistics).data();
    o.running = {running + plan_.running_mean(layer).offset,
                 running + plan_.running_variance(layer).offset};
    o.batch = {batch_statistics_[l].mean.data(), batch_statistics_[l].variance.data()};
  }
  return o;
}

// images (n, channels, height, width) -> x_.back(): logits (n, classes).
template <class T>
void ReferenceEngine<T>::forward(std::span<const uint8_t> images, const Pass& pass) {
  x_[0].resize(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    const size_t c = i / size_t(form_.plane()) % size_t(form_.channels);
    x_[0][i] = (T(images[i]) / 255 - T(form_.mean[c])) / T(form_.deviation[c]);
  }
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    x_[l + 1].resize(size_t(pass.n) * plan_.layers[l].out.count());
    winner_[l].resize(x_[l + 1].size());
    const reference::Operands<T> o = operands(l, pass);
    std::visit(reference::Forward<T>{o}, plan_.layers[l].layer);
    mark(pass.recorder, StepPart::kForward, static_cast<int>(l));
  }
}

// The running statistics take those of the last batch, of n samples.
template <class T>
void ReferenceEngine<T>::update_running_statistics(int n, StepRecorder* recorder) {
  for (size_t l = 0; l < plan_.layers.size(); ++l) {
    const PlannedLayer& layer = plan_.layers[l];
    if (!layer.statistics) continue;
    const reference::Operands<T> o = operands(l, {n, State::kParameters, true});
    reference::batchnorm_update(o.running.mean, o.running.variance, o.batch.mean, o.batch.variance,
                                layer.in.channels, size_t(n) * layer.in.plane());
    mark(recorder, StepPart::kUpdate, static_cast<int>(l));
  }
}

// dx_.back(): the gradient of the logits -> gradients_. For the sake of plain loops down to the
// images, whose gradient nobody needs.
template <class T>
void ReferenceEngine<T>::backward(const Pass& pass) {
  for (size_t l = plan_.layers.size(); l-- > 0;) {
    dx_[l].resize(x_[l].size());
    const reference::Operands<T> o = operands(l, pass);
    std::visit(reference::Backward<T>{o}, plan_.layers[l].layer);
    mark(pass.recorder, StepPart::kBackward, static_cast<int>(l));
  }
}

template <class T>
Metrics ReferenceEngine<T>::loss_and_gradients(std::span<const uint8_t> images,
                                               std::span<const uint8_t> labels, uint32_t step,
                                               StepRecorder* recorder) {
  const Pass pass{static_cast<int>(labels.size()), State::kParameters, true, step, recorder};
  forward(images, pass);
  dx_.back() = x_.back();
  Metrics metrics;
  metrics.count = pass.n;
  metrics.loss_sum = static_cast<double>(
      reference::softmax_cross_entropy(dx_.back().data(), &metrics.correct, labels.data(), pass.n,
                                       plan_.classes(), T(training_.label_smoothing)));
  mark(recorder, StepPart::kLoss);
  backward(pass);
  return metrics;
}

template <class T>
Metrics ReferenceEngine<T>::compute_gradients(std::span<const uint8_t> images,
                                              std::span<const uint8_t> labels) {
  require_trainable(plan_, static_cast<int>(labels.size()));
  return loss_and_gradients(images, labels, 0, nullptr);
}

template <class T>
std::vector<Metrics> ReferenceEngine<T>::train(int epoch, int first,
                                               std::span<const StepRates> rates) {
  return run_steps(epoch, first, rates, nullptr);
}

template <class T>
Profile ReferenceEngine<T>::profile(int epoch, int first, std::span<const StepRates> rates,
                                    bool trace) {
  StepRecorder recorder;
  run_steps(epoch, first, rates, &recorder);
  std::vector<std::string> layers;
  for (const PlannedLayer& layer : plan_.layers) layers.push_back(layer.name);
  const std::span<const StepRecorder> all(&recorder, 1);
  Profile profile = recorded_profile(all, recorded_steps(recorder), layers);
  if (trace) profile.trace = recorded_trace(all, first, layers);
  return profile;
}

template <class T>
std::vector<Metrics> ReferenceEngine<T>::run_steps(int epoch, int first,
                                                   std::span<const StepRates> rates,
                                                   StepRecorder* recorder) {
  const int count = train_->count();
  require_trainable(plan_, count);
  const Permutation permutation(training_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(count), training_.shuffle);
  std::vector<Metrics> steps;
  if (recorder) recorder->begin(rates.size());
  for (int step = first; const StepRates& step_rates : rates) {
    std::vector<uint32_t> indices;
    const int end = std::min(count, (step + 1) * plan_.batch);
    for (int i = step * plan_.batch; i < end; ++i) {
      indices.push_back(permutation(static_cast<uint32_t>(i)));
    }
    gather(*train_, indices, epoch);
    mark(recorder, StepPart::kGather);
    steps.push_back(loss_and_gradients(images_, labels_,
                                       global_step(epoch, step, count, plan_.batch), recorder));
    update_running_statistics(static_cast<int>(labels_.size()), recorder);
    reference::update(buffer(State::kParameters).data(), buffer(State::kMomentum).data(),
                      buffer(State::kSecondMoment).data(), buffer(State::kAverage).data(),
                      gradients_.data(), gradients_.size(), training_.optimizer, step_rates);
    mark(recorder, StepPart::kUpdate);
    if (recorder) recorder->end_step();
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
    forward(std::span(data.images).subspan(size_t(i) * plan_.pixels(), size_t(n) * plan_.pixels()),
            {n, evaluated_state(training_.optimizer), false});
    Metrics metrics;
    metrics.count = n;
    metrics.loss_sum = static_cast<double>(reference::softmax_cross_entropy(
        x_.back().data(), &metrics.correct, data.labels.data() + i, n, plan_.classes(), T(0)));
    total += metrics;
  }
  return total;
}

template <class T>
std::vector<float> ReferenceEngine<T>::predict(std::span<const uint8_t> images) {
  const int n = static_cast<int>(images.size() / plan_.pixels());
  forward(images, {n, evaluated_state(training_.optimizer), false});
  return {x_.back().begin(), x_.back().end()};
}

template class ReferenceEngine<double>;

}  // namespace digitron
