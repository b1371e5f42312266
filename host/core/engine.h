// The seam between devices: a whole engine that owns one plan's memory on one device, not single
// operations, because each device wants its own way through the network (see README).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/core/dataset.h"
#include "host/core/metrics.h"
#include "host/core/plan.h"
#include "host/core/profile.h"
#include "host/shared/augment.h"
#include "host/shared/optimizer.h"

namespace digitron {

// The data sets of an engine: what it trains on, and what it does not (a test or validation set).
enum class Split { kTrain, kHeldOut };

// How an engine trains.
struct Training {
  Optimizer optimizer = {};
  uint64_t seed = 1;    // of the shuffle, of dropout and of augmentation
  bool shuffle = true;  // visit the training set in another order each epoch
  Augmentation augmentation = {};
  // The part of each target, from 0 to below 1, that all classes share in a training step, as
  // torch.nn.CrossEntropyLoss has it; evaluate is without.
  float label_smoothing = 0;
};

// What a training has made so far, as flat buffers in the plan's layout.
enum class State {
  kParameters,
  kMomentum,          // Adam's first moment too
  kSecondMoment,      // kept by Adam and AdamW
  kAverage,           // the moving average of the parameters, when the optimiser keeps one
  kRunningStatistics  // of batch normalisations: training updates them, evaluation uses them
};

inline constexpr State kStates[] = {State::kParameters, State::kMomentum, State::kSecondMoment,
                                    State::kAverage, State::kRunningStatistics};
inline constexpr size_t kStateCount = std::size(kStates);

constexpr bool uses(const Optimizer& optimizer, State which) {
  if (which == State::kSecondMoment) return has_second_moment(optimizer.kind);
  return which != State::kAverage || optimizer.average_decay > 0;
}

// The parameters that evaluate and predict use: their moving average, where one is kept.
constexpr State evaluated_state(const Optimizer& optimizer) {
  return uses(optimizer, State::kAverage) ? State::kAverage : State::kParameters;
}

inline size_t state_floats(const Plan& plan, State which) {
  return which == State::kRunningStatistics ? plan.buffer_floats : plan.parameter_floats;
}

// One thing that a report tells of a device: {"memory bytes", "gradients", 247808}.
struct Detail {
  std::string group;
  std::string name;
  std::variant<std::string, int64_t> value;
};

// How long the steps of the newest train took, or the newest evaluate.
struct Timing {
  bool device_clock = false;    // the device's own clock; otherwise the host's, beside the steps
  std::vector<double> seconds;  // one a step, or one for all where they cannot be told apart
};

// What logs and reports say of an engine.
struct EngineDescription {
  std::string line;                // "CPU, AVX-512, 2 threads"
  std::string precision = "fp32";  // what it computes in: or "tf32", "fp64"
  // On the CPU: the threads that make its steps now, and why these and not others, where there is
  // something to say.
  std::optional<int> threads = {};
  std::string threads_reason = {};
  // On a GPU: the steps that one launch of a recorded graph covers; 0: nothing is recorded.
  std::optional<int> steps_per_graph = {};
  std::vector<Detail> details = {};  // for run.json, a bench and inspect: the libraries it runs on,
                                     // the algorithms it has chosen, the device memory it holds
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const Plan& plan() const = 0;

  virtual EngineDescription describe() const = 0;
  std::string description() const { return describe().line; }

  // Puts the data sets on the device. Needed before train and evaluate.
  virtual void load(std::shared_ptr<const Dataset> train,
                    std::shared_ptr<const Dataset> held_out) = 0;

  // How the steps that follow train. Momenta that were not in use before are zero, and a moving
  // average that was not starts as the present parameters; the other states stay.
  virtual void configure(const Training& training) = 0;
  virtual const Training& training() const = 0;

  // Replaces and reads one buffer, state_floats(plan(), which) floats. One that the optimiser does
  // not use reads as zeros, and setting it is lost. At first parameters are zero and running
  // statistics initial_buffers.
  virtual void set_state(State which, std::span<const float> values) = 0;
  virtual std::vector<float> state(State which) const = 0;

  // Trains an epoch's steps from `first` on, as many as there are rates (epochs count from 1, an
  // epoch's steps from 0). The last step of an epoch takes what is left when the batch does not
  // divide the data set. Returns one Metrics a step, measured before the step's update. Throws
  // InputError where require_trainable does.
  virtual std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) = 0;

  // Loss and accuracy over a whole data set, with the parameters of evaluated_state and the running
  // statistics.
  virtual Metrics evaluate(Split split) = 0;

  // images (count, channels, height, width) of u8 -> logits (count, classes), with what evaluate
  // uses.
  virtual std::vector<float> predict(std::span<const uint8_t> images) = 0;

  // Empty for an engine that times nothing; the host's clock then times its calls.
  virtual Timing timing() const { return {}; }

  // Trains as train does, whole batches only, and tells how long each phase of a step took, and
  // with `trace` when. An engine that times none trains nothing and returns none.
  virtual Profile profile(int /*epoch*/, int /*first*/, std::span<const StepRates> /*rates*/,
                          bool /*trace*/) {
    return {};
  }
};

}  // namespace digitron
