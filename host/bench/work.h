// What is measured: calls of an engine, and what their time is said to be.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "host/bench/sampler.h"
#include "host/core/engine.h"
#include "host/train/step_capture.h"

namespace digitron {

enum class Work { kTrain, kEvaluate, kPredict };

// "train", "evaluate", "predict"; work_kind throws InputError that lists the words.
std::string to_text(Work work);
Work work_kind(const std::string& word);

// Training, each call from where the one before has ended, or from the beginning of an epoch where
// the steps it is to take do not fit into what is left of this one: the ragged batch at an epoch's
// end is another step.
class TrainingCalls {
 public:
  // train_count: images of the engine's training set, a batch at least. The learning rate stays.
  TrainingCalls(Engine& engine, int train_count, double lr);

  // Has profilers capture these steps of all that are taken (host/train/step_capture.h), which cuts
  // the calls. Before the first call.
  void capture(const StepRange& range);
  // Whether all of them, if any, have been taken.
  bool captured() const { return taken_ >= captured_until_; }

  // So many steps, or a whole epoch where it has fewer.
  Call take(int steps);

 private:
  Engine& engine_;
  int epoch_steps_;
  double lr_;
  int epoch_ = 1;
  int next_ = 0;  // step of the epoch
  int64_t taken_ = 0;
  int64_t captured_until_ = 0;
  std::optional<StepCapture> capture_;
  std::vector<StepRates> rates_;
};

// One evaluation of the held-out set. A sample is the whole evaluation.
Call evaluate_once(Engine& engine);

// One prediction of these images, by the host's clock.
Call predict_once(Engine& engine, std::span<const uint8_t> images);

}  // namespace digitron
