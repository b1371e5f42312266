// Random numbers, samples and comparisons for the tests of operations and engines.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "host/core/dataset.h"
#include "host/core/plan.h"
#include "host/reference/reference_engine.h"
#include "host/reference/reference_ops.h"
#include "tests/mnist_form.h"

namespace digitron::testing {

// The same numbers on every machine, which std's distributions do not promise.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  // From first to last, both included.
  int between(int first, int last) {
    return first + static_cast<int>(engine_() % static_cast<uint32_t>(last - first + 1));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }
  double real(double low, double high) { return low + (high - low) * (engine_() * 0x1p-32); }

  template <class T = double>
  std::vector<T> reals(size_t count, double low = -1, double high = 1) {
    std::vector<T> values(count);
    for (T& value : values) value = static_cast<T>(real(low, high));
    return values;
  }

 private:
  std::mt19937 engine_;
};

// Mostly dark, so that the largest pixel of a window is rarely a tie.
inline std::vector<uint8_t> random_image(Random& random, const Task& task = {}) {
  std::vector<uint8_t> image(static_cast<size_t>(task.image.count()));
  for (uint8_t& pixel : image) {
    pixel = static_cast<uint8_t>(255 * std::pow(random.real(0, 1), 6));
  }
  return image;
}

inline double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

inline void append_sample(Dataset& data, Random& random, const Task& task = {}) {
  const std::vector<uint8_t> image = random_image(random, task);
  data.images.insert(data.images.end(), image.begin(), image.end());
  data.labels.push_back(static_cast<uint8_t>(random.between(0, task.class_count() - 1)));
}

inline std::shared_ptr<const Dataset> random_dataset(int count, uint32_t seed,
                                                     const Task& task = {}) {
  Random random(seed);
  auto data = std::make_shared<Dataset>();
  while (data->count() < count) append_sample(*data, random, task);
  return data;
}

// The initial parameters, but batch normalisations that scale and shift, some of them downwards: a
// shift of 0 would put a ReLU after a channel of equal values at its kink.
inline std::vector<float> varied_parameters(const Plan& plan, uint32_t seed) {
  std::vector<float> flat = initial_parameters(plan, seed);
  Random random(seed);
  for (const Parameter& p : plan.parameters) {
    if (p.fan_in != 0) continue;
    for (size_t i = 0; i < p.count; ++i) {
      const auto value = static_cast<float>(random.real(0.25, 1.5));
      flat[p.offset + i] = random.chance(25) ? -value : value;
    }
  }
  return flat;
}

// The least lead of a window's winner over a smaller element, in n samples.
inline double pooling_lead(const std::vector<double>& x, const std::vector<double>& y,
                           const MaxPool2d& pool, const Shape& in, const Shape& out) {
  double lead = INFINITY;
  size_t index = 0;
  const auto planes = static_cast<int>(y.size()) / (out.height * out.width);
  for (int c = 0; c < planes; ++c)
    for (int p = 0; p < out.height; ++p)
      for (int q = 0; q < out.width; ++q, ++index)
        for (int i = 0; i < pool.kernel; ++i)
          for (int j = 0; j < pool.kernel; ++j) {
            const int row = c * in.height + p * pool.stride + i;
            const double value = x[static_cast<size_t>(row * in.width + q * pool.stride + j)];
            if (value < y[index]) lead = std::min(lead, y[index] - value);
          }
  return lead;
}

// How near the samples that an engine has just trained on come to a point where the network has no
// derivative, as a fraction of a layer's root mean square: a ReLU's input near zero, a pooling's
// winner that barely leads. Exact zeros and ties do not count: they come out the same in any
// precision.
inline double distance_to_kink(const ReferenceEngine<double>& engine) {
  double least = INFINITY;
  const std::vector<PlannedLayer>& layers = engine.plan().layers;
  for (size_t l = 0; l < layers.size(); ++l) {
    const std::vector<double>& x = engine.input_of(l);
    double kink = INFINITY;
    if (const auto* pool = std::get_if<MaxPool2d>(&layers[l].layer)) {
      kink = pooling_lead(x, engine.input_of(l + 1), *pool, layers[l].in, layers[l].out);
    } else if (std::holds_alternative<ReLU>(layers[l].layer)) {
      for (const double value : x) kink = value == 0 ? kink : std::min(kink, std::abs(value));
    }
    double squares = 0;
    for (const double value : x) squares += value * value;
    if (squares > 0) least = std::min(least, kink / std::sqrt(squares / double(x.size())));
  }
  return least;
}

// Whether what a sample becomes depends on the others, or on its row.
inline bool depends_on_batch(const Plan& plan) {
  return std::any_of(plan.layers.begin(), plan.layers.end(), [](const PlannedLayer& layer) {
    return std::holds_alternative<BatchNorm2d>(layer.layer) ||
           std::holds_alternative<Dropout>(layer.layer);
  });
}

// Samples at which rounding cannot turn a ReLU or a pooling over, so that gradients in single and
// double precision are gradients of the same function. One by one where that is possible; a batch
// that hangs together has so many chances of a kink that it may come nearer.
inline Dataset smooth_samples(const Plan& plan, std::span<const float> parameters, int count,
                              Random& random) {
  const bool together = depends_on_batch(plan);
  const double far_from_kinks = together ? 1e-6 : 2e-5;
  ReferenceEngine<double> engine(plan);
  engine.set_state(State::kParameters, parameters);
  Dataset data;
  for (int tries = 0; data.count() < count; ++tries) {
    if (tries > 100 * count + 100) throw std::runtime_error("no smooth samples of the network");
    Dataset more;
    while (more.count() < (together ? count : 1)) {
      append_sample(more, random, plan.model.task);
    }
    engine.compute_gradients(more.images, more.labels);
    if (distance_to_kink(engine) < far_from_kinks) continue;
    data.images.insert(data.images.end(), more.images.begin(), more.images.end());
    data.labels.insert(data.labels.end(), more.labels.begin(), more.labels.end());
  }
  return data;
}

// Steps [first, last) of an epoch, all at one learning rate.
inline std::vector<Metrics> train_steps(Engine& engine, int epoch, int first, int last,
                                        float lr = 0.01f) {
  return engine.train(epoch, first, std::vector<StepRates>(size_t(last - first), {.lr = lr}));
}

// The gradient of the mean loss over one batch, flat in the plan's layout, as an engine takes it in
// its first step: what SGD leaves in a momentum that was zero. The engine's states and its training
// are then what they were; its data sets are the batch.
inline std::vector<float> gradients(Engine& engine, std::span<const uint8_t> images,
                                    std::span<const uint8_t> labels) {
  auto batch = std::make_shared<Dataset>();
  batch->images.assign(images.begin(), images.end());
  batch->labels.assign(labels.begin(), labels.end());
  engine.load(batch, batch);
  const Training training = engine.training();
  std::vector<std::vector<float>> states;
  for (const State which : kStates) states.push_back(engine.state(which));
  Training plain = training;
  plain.optimizer = {.momentum = 0, .weight_decay = 0};
  plain.shuffle = false;
  plain.augmentation = {};
  engine.configure(plain);
  engine.set_state(State::kMomentum, std::vector<float>(engine.plan().parameter_floats));
  train_steps(engine, 1, 0, 1, 0);
  std::vector<float> gradients = engine.state(State::kMomentum);
  engine.configure(training);
  for (size_t i = 0; i < states.size(); ++i) engine.set_state(kStates[i], states[i]);
  return gradients;
}

// |a - b| <= tolerance * |b| + slack in the Euclidean norm; where b is zero, a must be too. NaN
// fails.
template <class A, class B>
::testing::AssertionResult is_near(const A& a, const B& b, double tolerance, double slack = 0) {
  if (std::size(a) != std::size(b)) {
    return ::testing::AssertionFailure() << std::size(a) << " values, not " << std::size(b);
  }
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < std::size(a); ++i) {
    difference += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
    norm += double(b[i]) * double(b[i]);
  }
  difference = std::sqrt(difference);
  norm = std::sqrt(norm);
  if (difference <= (norm > 0 ? tolerance * norm + slack : 0)) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "off by " << difference << ", at a norm of " << norm;
}

}  // namespace digitron::testing
