#include "host/run/trainer.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "host/error.h"
#include "host/run/environment.h"
#include "host/run/table.h"

namespace digitron {

namespace {

using Clock = std::chrono::steady_clock;

// A slice of steps takes about this long: short enough for Ctrl-C and for the progress line, long
// enough that what happens between two slices costs nothing.
constexpr double kShortSliceSeconds = 0.05;
constexpr double kLongSliceSeconds = 0.1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

std::string train_text(const Metrics& train) {
  return fmt::format("Train Loss: {:.4f}, Train Acc: {:.2f}%", train.loss(),
                     100 * train.accuracy());
}

}  // namespace

Trainer::Trainer(Engine& engine, RunDirectory& directory, const TrainSettings& settings,
                 int train_count, const std::atomic<bool>& stop, int64_t batches_tracked)
    : engine_(engine),
      directory_(directory),
      settings_(settings),
      epoch_steps_(steps_per_epoch(train_count, engine.plan().batch)),
      batches_tracked_(batches_tracked),
      stop_(stop) {
  engine.set_optimizer({static_cast<float>(settings.lr), static_cast<float>(settings.momentum),
                        static_cast<float>(settings.weight_decay)});
  engine.set_order({settings.seed, settings.shuffle});
}

TrainResult Trainer::run() {
  for (int epoch = 1; epoch <= settings_.epochs && !out_of_steps(); ++epoch) {
    EpochResult result{epoch, {}, {}, 0};
    if (train_pass(result) == Pass::kInterrupted) {
      finish_interrupted(result);
      break;
    }
    finish_epoch(result);
  }
  return result_;
}

bool Trainer::out_of_steps() const {
  return settings_.max_steps && result_.steps >= *settings_.max_steps;
}

Trainer::Pass Trainer::train_pass(EpochResult& result) {
  const int64_t steps_left = settings_.max_steps.value_or(INT64_MAX) - result_.steps;
  const int last = static_cast<int>(std::min<int64_t>(epoch_steps_, steps_left));
  const Clock::time_point start = Clock::now();
  for (int step = 0; step < last;) {
    if (stop_) return Pass::kInterrupted;
    const int end = std::min(last, step + slice_steps_);
    const Clock::time_point slice_start = Clock::now();
    const std::vector<Metrics> slice = engine_.train(result.epoch, step, end);
    const double slice_seconds = seconds_since(slice_start);
    result.seconds = seconds_since(start);
    log_slice(result.epoch, slice);
    for (const Metrics& metrics : slice) result.train += metrics;

    const bool full = end - step == slice_steps_;
    if (full && slice_seconds < kShortSliceSeconds) slice_steps_ *= 2;
    if (slice_seconds > kLongSliceSeconds) slice_steps_ = std::max(1, slice_steps_ / 2);
    step = end;
    if (progress_.due()) show_progress(result, step);
  }
  return Pass::kWhole;
}

// Counts the slice's steps, and stops the run at the first whose loss is not finite.
void Trainer::log_slice(int epoch, const std::vector<Metrics>& slice) {
  std::string events;
  for (const Metrics& metrics : slice) {
    ++result_.steps;
    if (!std::isfinite(metrics.loss())) {
      directory_.append(events);
      diverged(epoch);
    }
    if (settings_.log_steps) events += step_event(epoch, result_.steps, metrics.loss());
  }
  if (!events.empty()) directory_.append(events);
}

void Trainer::finish_epoch(EpochResult& result) {
  result.test = engine_.evaluate(Split::kTest);
  if (!std::isfinite(result.test->loss())) diverged(result.epoch);
  save(result.epoch);
  directory_.append(epoch_event(result));
  result_.test = result.test;
  progress_.clear();
  spdlog::info(
      "{} | Epoch [{}/{}]: {} | Test Loss: {:.4f}, Test Acc: {:.2f}% | {:.2f} s, {} images/s",
      engine_.plan().model.name, result.epoch, settings_.epochs, train_text(result.train),
      result.test->loss(), 100 * result.test->accuracy(), result.seconds,
      grouped(std::llround(result.images_per_second())));
}

void Trainer::finish_interrupted(const EpochResult& result) {
  result_.interrupted = true;
  if (result.train.count > 0) {
    save(result.epoch);
    directory_.append(epoch_event(result));
  }
  progress_.clear();
  spdlog::info("{} | Interrupted in epoch {} of {}, after {} steps of the run",
               engine_.plan().model.name, result.epoch, settings_.epochs, grouped(result_.steps));
}

void Trainer::save(int epoch) {
  const ModelState state{engine_.parameters(), engine_.buffers(), batches_tracked_ + result_.steps};
  if (!all_finite(state.parameters) || !all_finite(state.buffers)) diverged(epoch);
  const Model& model = engine_.plan().model;
  directory_.save(engine_.plan(), state,
                  {{"format", "pt"},
                   {"digitron", version()},
                   {"model", model.id},
                   {"name", model.name},
                   {"epoch", std::to_string(epoch)},
                   {"step", std::to_string(result_.steps)}});
  saved_epoch_ = epoch;
}

void Trainer::show_progress(const EpochResult& result, int step) {
  progress_.show(fmt::format(
      "{:.20} | Epoch [{}/{}]: {:3d}%, Loss: {:.4f}, Acc: {:.2f}%, {} images/s",
      engine_.plan().model.name, result.epoch, settings_.epochs, int64_t{100} * step / epoch_steps_,
      result.train.loss(), 100 * result.train.accuracy(),
      grouped(std::llround(result.images_per_second()))));
}

void Trainer::diverged(int epoch) const {
  const std::string kept = saved_epoch_ == 0
                               ? "this run has saved nothing yet in " + directory_.path().string()
                               : fmt::format("{} is as of epoch {}",
                                             directory_.checkpoint_path().string(), saved_epoch_);
  throw InputError(
      fmt::format("the loss is not finite any more at step {} (epoch {}); give a --lr below {}; {}",
                  result_.steps, epoch, settings_.lr, kept));
}

}  // namespace digitron
