// The seam between devices: a whole engine that owns one plan's memory on one device, not single
// operations, because each device wants its own way through the network (see README).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/dataset.h"
#include "host/error.h"
#include "host/plan.h"

namespace digitron {

enum class Split { kTrain, kTest };

// SGD as PyTorch defines it: g += weight_decay * w; v = momentum * v + g; w -= lr * v.
struct Sgd {
  float lr = 0.01f;
  float momentum = 0.9f;
  float weight_decay = 0.0f;
};

// The order in which an epoch visits the training set, and the seed of what else training draws.
struct Order {
  uint64_t seed = 1;  // of the shuffle and of dropout
  bool shuffle = true;
};

// Sums over samples; means are taken last, so that a ragged batch weighs what it should.
struct Metrics {
  double loss_sum = 0;
  int64_t correct = 0;
  int64_t count = 0;

  double loss() const { return loss_sum / static_cast<double>(count); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(count); }
  Metrics& operator+=(const Metrics& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    count += other.count;
    return *this;
  }
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const Plan& plan() const = 0;

  // One line for logs and run.json: "CPU, AVX-512, 2 threads".
  virtual std::string description() const = 0;

  // Puts the data sets on the device. Needed before train and evaluate.
  virtual void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) = 0;

  // Parameters and momentum, flat in the plan's layout: plan().parameter_floats floats.
  virtual void set_parameters(std::span<const float> parameters) = 0;
  virtual std::vector<float> parameters() const = 0;
  virtual void set_momentum(std::span<const float> momentum) = 0;
  virtual std::vector<float> momentum() const = 0;

  // Running statistics of batch normalisations, flat in the plan's layout: plan().buffer_floats
  // floats, initial_buffers at first. Training steps update them, evaluate and predict use them.
  virtual void set_buffers(std::span<const float> buffers) = 0;
  virtual std::vector<float> buffers() const = 0;

  // What the steps that follow use.
  virtual void set_optimizer(const Sgd& sgd) = 0;
  virtual void set_order(const Order& order) = 0;

  // Trains steps [first, last) of an epoch (epochs count from 1, an epoch's steps from 0). The last
  // step of an epoch takes what is left when the batch does not divide the data set. Returns one
  // Metrics a step, measured before the step's update. Throws InputError where require_trainable
  // does.
  virtual std::vector<Metrics> train(int epoch, int first, int last) = 0;

  // Loss and accuracy of the present parameters over a whole data set.
  virtual Metrics evaluate(Split split) = 0;

  // images (count, 28, 28) of u8 -> logits (count, kClasses).
  virtual std::vector<float> predict(std::span<const uint8_t> images) = 0;

  // The mean loss's gradient over one batch of at most plan().batch samples, flat in the plan's
  // layout, as training would take it at global step 0; parameters and running statistics stay. For
  // tests. Throws InputError where require_trainable does.
  virtual std::vector<float> gradients(std::span<const uint8_t> images,
                                       std::span<const uint8_t> labels) = 0;
};

// Steps of one epoch: every image is used.
inline int steps_per_epoch(int count, int batch) {
  return (count + batch - 1) / batch;
}

// A step's number in the whole run, from 0; epochs count from 1. Dropout draws with it.
inline uint32_t global_step(int epoch, int step, int count, int batch) {
  return static_cast<uint32_t>(int64_t{epoch - 1} * steps_per_epoch(count, batch) + step);
}

using EngineOrReason = std::variant<std::unique_ptr<Engine>, Unavailable>;

// threads: 0 takes every core that this process may use.
std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads);

// device: an index, as in "cuda:1". A build without the toolkit links host/no_cuda.cpp, which
// always answers Unavailable.
EngineOrReason make_cuda_engine(const Plan& plan, int device);

// One line per device that can run here, and per kind that cannot, with the reason.
struct DeviceReport {
  std::string name;         // "cpu", "cuda:0", "cuda"
  std::string description;  // what it is, or why it is not available
  bool available;
};
std::vector<DeviceReport> cpu_devices();
std::vector<DeviceReport> cuda_devices();

}  // namespace digitron
