// The seam between devices: a whole engine that owns one plan's memory on one device, not single
// operations, because each device wants its own way through the network (see README).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/core/dataset.h"
#include "host/core/error.h"
#include "host/core/plan.h"
#include "host/shared/augment.h"
#include "host/shared/optimizer.h"

namespace digitron {

enum class Split { kTrain, kTest };

// The flat buffers of a training's state, each in the plan's layout: plan().parameter_floats
// floats.
enum class FlatState {
  kParameters,
  kMomentum,      // Adam's first moment too
  kSecondMoment,  // of Adam and AdamW
  kAverage        // the moving average of the parameters, when the optimiser keeps one
};

inline constexpr FlatState kFlatStates[] = {FlatState::kParameters, FlatState::kMomentum,
                                            FlatState::kSecondMoment, FlatState::kAverage};

constexpr bool uses(const Optimizer& optimizer, FlatState which) {
  if (which == FlatState::kSecondMoment) return has_second_moment(optimizer.kind);
  return which != FlatState::kAverage || optimizer.average_decay > 0;
}

// The order in which an epoch visits the training set, and the seed of what else training draws.
struct Order {
  uint64_t seed = 1;  // of the shuffle, of dropout and of augmentation
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

// One thing that a report tells of a device: {"memory bytes", "gradients", 247808}.
struct Detail {
  std::string group;
  std::string name;
  std::variant<std::string, int64_t> value;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const Plan& plan() const = 0;

  // One line for logs and run.json: "CPU, AVX-512, 2 threads".
  virtual std::string description() const = 0;

  // Of the arithmetic, for reports: "fp32", "tf32" or "fp64".
  virtual std::string precision() const { return "fp32"; }

  // What else run.json, a bench and inspect tell of it: the libraries it runs on, the algorithms it
  // has chosen, the device memory it holds.
  virtual std::vector<Detail> details() const { return {}; }

  // Puts the data sets on the device. Needed before train and evaluate.
  virtual void load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) = 0;

  // Replaces and reads one flat buffer. One that the optimiser does not use reads as zeros, and
  // setting it is lost.
  virtual void set_state(FlatState which, std::span<const float> values) = 0;
  virtual std::vector<float> state(FlatState which) const = 0;

  void set_parameters(std::span<const float> p) { set_state(FlatState::kParameters, p); }
  std::vector<float> parameters() const { return state(FlatState::kParameters); }
  void set_momentum(std::span<const float> m) { set_state(FlatState::kMomentum, m); }
  std::vector<float> momentum() const { return state(FlatState::kMomentum); }

  // Running statistics of batch normalisations, flat in the plan's layout: plan().buffer_floats
  // floats, initial_buffers at first. Training steps update them, evaluate and predict use them.
  virtual void set_buffers(std::span<const float> buffers) = 0;
  virtual std::vector<float> buffers() const = 0;

  // What the steps that follow use. Buffers that the optimiser had not used before are zero.
  virtual void set_optimizer(const Optimizer& optimizer) = 0;
  virtual const Optimizer& optimizer() const = 0;
  virtual void set_order(const Order& order) = 0;
  // The images of train are drawn with the order's seed, by epoch and index.
  virtual void set_augmentation(const Augmentation& augmentation) = 0;
  // The part of each target, from 0 to below 1, that all classes share in train and gradients, as
  // torch.nn.CrossEntropyLoss has it; evaluate is without.
  virtual void set_label_smoothing(float smoothing) = 0;

  // Trains an epoch's steps from `first` on, as many as there are rates (epochs count from 1, an
  // epoch's steps from 0). The last step of an epoch takes what is left when the batch does not
  // divide the data set. Returns one Metrics a step, measured before the step's update. Throws
  // InputError where require_trainable does.
  virtual std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) = 0;

  // The same for steps [first, last) of SGD at the optimiser's own rate.
  std::vector<Metrics> train(int epoch, int first, int last) {
    return train(epoch, first, std::vector<StepRates>(last - first, {.lr = optimizer().lr}));
  }

  // Loss and accuracy of the present parameters over a whole data set; of their moving average when
  // the optimiser keeps one, here and in predict.
  virtual Metrics evaluate(Split split) = 0;

  // How long the steps of the newest train or evaluate took on a device with a clock of its own;
  // below zero for an engine without one, whose calls the host's clock times.
  virtual double device_seconds() const { return -1; }

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

// How the CUDA engine runs; what it computes does not depend on the first three
// but for rounding.
struct CudaOptions {
  bool graph = true;        // record the step and replay it; otherwise the same calls one by one
  int steps_per_graph = 8;  // steps that one graph launch covers, at least 1
  int evaluation_batch = 1000;  // images of an evaluation at once, fewer where they are too large
  bool tf32 = false;            // let tensor cores round the factors of products to 10 bits
  bool deterministic = true;    // only algorithms that give the same bits every time
};

// A step's number in the whole run, from 0; epochs count from 1. Dropout draws with it.
inline uint32_t global_step(int epoch, int step, int count, int batch) {
  return static_cast<uint32_t>(int64_t{epoch - 1} * steps_per_epoch(count, batch) + step);
}

using EngineOrReason = std::variant<std::unique_ptr<Engine>, Unavailable>;

// threads: 0 takes every core that this process may use.
std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads);

// device: an index, as in "cuda:1".
EngineOrReason make_cuda_engine(const Plan& plan, int device, const CudaOptions& options);

// One line per device that can run here, and per kind that cannot, with the reason.
struct DeviceReport {
  std::string name;         // "cpu", "cuda:0", "cuda", "reference"
  std::string description;  // what it is, or why it is not available
  bool available;
  std::vector<Detail> details = {};
};
std::vector<DeviceReport> cpu_devices();
std::vector<DeviceReport> cuda_devices();

}  // namespace digitron
