#include "host/bench/work.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "host/core/error.h"

namespace digitron {

namespace {

constexpr const char* kWorkWords[] = {"train", "evaluate", "predict"};

// A call that took so many steps, with the engine's own clock where it has one.
Call timed(double host_seconds, int steps, const Timing& timing) {
  Call call{timing.device_clock, timing.seconds, steps, host_seconds};
  if (static_cast<int>(call.seconds.size()) == steps) return call;
  const double sum = call.seconds.empty()
                         ? host_seconds
                         : std::accumulate(call.seconds.begin(), call.seconds.end(), 0.0);
  call.seconds = {sum / steps};
  return call;
}

}  // namespace

std::string to_text(Work work) {
  return kWorkWords[static_cast<int>(work)];
}

Work work_kind(const std::string& word) {
  for (const Work work : {Work::kTrain, Work::kEvaluate, Work::kPredict}) {
    if (to_text(work) == word) return work;
  }
  throw InputError("--work is '" + word + "'; give train, evaluate or predict");
}

TrainingCalls::TrainingCalls(Engine& engine, int train_count, double lr)
    : engine_(engine), epoch_steps_(train_count / engine.plan().batch), lr_(lr) {}

void TrainingCalls::capture(const StepRange& range) {
  constexpr int64_t kNoEnd = std::numeric_limits<int64_t>::max();
  capture_.emplace(profiler_capture(range, {epoch_steps_, epoch_steps_, 0, kNoEnd}, engine_));
  captured_until_ = range.last;
}

Call TrainingCalls::take(int steps) {
  steps = std::min(steps, epoch_steps_);
  if (capture_) {
    const int left = epoch_steps_ - next_;
    steps = capture_->next(taken_, left > 0 ? left : epoch_steps_, steps);
  }
  if (next_ + steps > epoch_steps_) {
    next_ = 0;
    ++epoch_;
  }
  rates_.clear();
  for (int i = 0; i < steps; ++i) {
    rates_.push_back(step_rates(engine_.training().optimizer, lr_, ++taken_));
  }
  const double start = steady_seconds();
  engine_.train(epoch_, next_, rates_);
  const double host_seconds = steady_seconds() - start;
  next_ += steps;
  if (capture_) capture_->finished(taken_);
  return timed(host_seconds, steps, engine_.timing());
}

Call evaluate_once(Engine& engine) {
  const double start = steady_seconds();
  engine.evaluate(Split::kHeldOut);
  const double host_seconds = steady_seconds() - start;
  return timed(host_seconds, 1, engine.timing());
}

Call predict_once(Engine& engine, std::span<const uint8_t> images) {
  const double start = steady_seconds();
  engine.predict(images);
  return timed(steady_seconds() - start, 1, {});
}

}  // namespace digitron
