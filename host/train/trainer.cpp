#include "host/train/trainer.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "host/core/error.h"
#include "host/files/environment.h"
#include "host/machine/build.h"
#include "host/text/table.h"
#include "host/train/schedule.h"

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

std::string text_of(const char* set, const Metrics& metrics) {
  return fmt::format("{0} Loss: {1:.4f}, {0} Acc: {2:.2f}%", set, metrics.loss(),
                     100 * metrics.accuracy());
}

}  // namespace

Trainer::Trainer(Engine& engine, RunDirectory& directory, const TrainSettings& settings,
                 int train_count, const std::atomic<bool>& stop)
    : engine_(engine),
      directory_(directory),
      settings_(settings),
      epoch_steps_(steps_per_epoch(train_count, engine.plan().batch)),
      stop_(stop) {}

TrainResult Trainer::run(const RunState& state) {
  state_ = state;
  saved_epoch_ = state.step > 0 ? state.epoch : state.epoch - 1;
  result_.steps = int64_t{state.epoch - 1} * epoch_steps_ + state.step;
  began_ = Clock::now();
  steps_before_ = result_.steps;
  while (state_.epoch <= settings_.epochs && !out_of_patience()) {
    if (state_.step == 0 && out_of_steps()) break;
    if (!train_pass()) {
      finish_interrupted();
      break;
    }
    finish_epoch();
    if (state_.step > 0) break;  // --max-steps ended within the epoch
  }
  finish_saving();
  return result_;
}

bool Trainer::out_of_steps() const {
  return settings_.max_steps && result_.steps >= *settings_.max_steps;
}

bool Trainer::out_of_patience() const {
  return settings_.patience && state_.best &&
         state_.epoch - 1 - state_.best->epoch >= *settings_.patience;
}

// Trains the steps that are left of the epoch, or of --max-steps; false when it was interrupted.
bool Trainer::train_pass() {
  const int64_t steps_left = settings_.max_steps.value_or(INT64_MAX) - result_.steps;
  const int last =
      static_cast<int>(std::min<int64_t>(epoch_steps_ - state_.step, steps_left)) + state_.step;
  const double seconds_before = state_.seconds;
  const Clock::time_point start = Clock::now();
  while (state_.step < last) {
    if (stop_) return false;
    const int end = state_.step + next_slice(last - state_.step);
    const Clock::time_point slice_start = Clock::now();
    const std::vector<Metrics> slice =
        engine_.train(state_.epoch, state_.step,
                      epoch_rates(settings_, state_.epoch, state_.step, end, epoch_steps_));
    const double slice_seconds = seconds_since(slice_start);
    state_.seconds = seconds_before + seconds_since(start);
    log_slice(slice);
    if (capture_) capture_->finished(result_.steps);
    for (const Metrics& metrics : slice) state_.train += metrics;

    const bool full = end - state_.step == slice_steps_;
    if (full && slice_seconds < kShortSliceSeconds) slice_steps_ *= 2;
    if (slice_seconds > kLongSliceSeconds) slice_steps_ = std::max(1, slice_steps_ / 2);
    state_.step = end;
    if (progress_.due()) show_progress();
  }
  return true;
}

// Steps to give to the engine at once, of those that are left in the epoch.
int Trainer::next_slice(int left) {
  return capture_ ? capture_->next(result_.steps, left, slice_steps_)
                  : std::min(left, slice_steps_);
}

// Counts the slice's steps, and stops the run at the first whose loss is not finite.
void Trainer::log_slice(const std::vector<Metrics>& slice) {
  std::string events;
  for (const Metrics& metrics : slice) {
    ++result_.steps;
    if (!std::isfinite(metrics.loss())) {
      directory_.append(events);
      diverged();
    }
    if (settings_.log_steps) events += step_event(state_.epoch, result_.steps, metrics.loss());
  }
  if (!events.empty()) directory_.append(events);
}

// A whole epoch's state is saved after its event is written, while the next epoch trains: disks
// take their time. An epoch that --max-steps has cut short is saved before: a resumed run with more
// steps then drops the event and finishes the epoch.
void Trainer::finish_epoch() {
  EpochResult result = epoch_result();
  result.validation = settings_.validation > 0;
  const Clock::time_point start = Clock::now();
  result.test = engine_.evaluate(Split::kHeldOut);
  result.evaluation_seconds = seconds_since(start);
  if (!std::isfinite(result.test->loss())) diverged();
  const ModelState model = model_state();
  const bool whole = state_.step == epoch_steps_;
  finish_saving();
  if (!whole) save_state();
  if (settings_.patience) keep_best(*result.test, model);
  if (!settings_.patience || state_.best->epoch == state_.epoch) save(model);
  directory_.append(epoch_event(result));
  if (!result.validation) result_.test = result.test;
  log_epoch(result);
  if (!whole) return;
  ++state_.epoch;
  state_.step = 0;
  state_.train = {};
  state_.seconds = 0;
  save_state();
  if (out_of_patience()) {
    spdlog::info("Stopped early: epoch {} has had the best validation loss, {:.4f}",
                 state_.best->epoch, state_.best->loss);
  }
}

void Trainer::keep_best(const Metrics& validation, const ModelState& model) {
  if (state_.best && !(validation.loss() < state_.best->loss)) return;
  state_.best = BestEpoch{state_.epoch, validation.loss(), model};
}

EpochResult Trainer::epoch_result() const {
  EpochResult result{state_.epoch, state_.train, {}, state_.seconds};
  result.lr = learning_rate(settings_, result_.steps - 1, epoch_steps_);
  result.time = utc_now();
  return result;
}

void Trainer::log_epoch(const EpochResult& result) {
  progress_.clear();
  spdlog::info("{} | Epoch [{}/{}]: {} | {} | {:.2f} s, {} images/s", engine_.plan().model.name,
               result.epoch, settings_.epochs, text_of("Train", result.train),
               text_of(result.validation ? "Validation" : "Test", *result.test), result.seconds,
               grouped(std::llround(result.images_per_second())));
}

void Trainer::finish_interrupted() {
  result_.interrupted = true;
  if (state_.train.count > 0) {
    const ModelState model = model_state();
    finish_saving();
    if (!state_.best) save(model);  // with --patience the best epoch's checkpoint stays
    save_state();
    directory_.append(epoch_event(epoch_result()));
  }
  progress_.clear();
  spdlog::info("{} | Interrupted in epoch {} of {}, after {} steps of the run",
               engine_.plan().model.name, state_.epoch, settings_.epochs, grouped(result_.steps));
}

Metrics Trainer::test() {
  int epoch = state_.step > 0 ? state_.epoch : state_.epoch - 1;
  if (state_.best) {
    epoch = state_.best->epoch;
    const ModelState& best = state_.best->state;
    engine_.set_state(State::kParameters, best.parameters);
    engine_.set_state(State::kAverage, best.parameters);
    engine_.set_state(State::kRunningStatistics, best.buffers);
  }
  const Metrics test = engine_.evaluate(Split::kHeldOut);
  directory_.append(final_event(epoch, test));
  return test;
}

// What evaluate has used, so that eval and predict, which read it from the file, use the same.
ModelState Trainer::model_state() const {
  ModelState state{engine_.state(evaluated_state(engine_.training().optimizer)),
                   engine_.state(State::kRunningStatistics), state_.batches_before + result_.steps};
  if (!all_finite(state.parameters) || !all_finite(state.buffers)) diverged();
  return state;
}

void Trainer::save(const ModelState& state) {
  const Model& model = engine_.plan().model;
  Metadata metadata{{"format", "pt"},
                    {"digitron", version()},
                    {"model", model.id},
                    {"name", model.name},
                    {"layers", to_text(model)},
                    {"task", task_json(model.task).dump()},
                    {"epoch", std::to_string(state_.epoch)},
                    {"step", std::to_string(result_.steps)}};
  if (!directory_.id().empty()) metadata["run"] = directory_.id();
  directory_.save(engine_.plan(), state, metadata);
  saved_epoch_ = state_.epoch;
}

void Trainer::save_state() {
  state_.metrics_bytes = directory_.metrics_bytes();
  state_.run = directory_.id();
  // Without a thread to be had, finish_saving does it.
  saving_ = std::async(std::launch::async | std::launch::deferred,
                       [bytes = run_state_bytes(state_, engine_), &directory = directory_] {
                         directory.save_state(bytes);
                       });
}

// Throws what save_state could not.
void Trainer::finish_saving() {
  if (saving_.valid()) saving_.get();
}

// At the pace of this process so far, evaluations and all.
double Trainer::seconds_left() const {
  const int64_t all = int64_t{settings_.epochs} * epoch_steps_;
  const int64_t left = std::min(all, settings_.max_steps.value_or(all)) - result_.steps;
  const int64_t done = std::max<int64_t>(1, result_.steps - steps_before_);
  return seconds_since(began_) * static_cast<double>(left) / static_cast<double>(done);
}

void Trainer::show_progress() {
  const Metrics& train = state_.train;
  progress_.show(fmt::format(
      "{:.20} | Epoch [{}/{}]: {:3d}%, {} left, Loss: {:.4f}, Acc: {:.2f}%, {} images/s",
      engine_.plan().model.name, state_.epoch, settings_.epochs,
      int64_t{100} * state_.step / epoch_steps_, duration_text(seconds_left()), train.loss(),
      100 * train.accuracy(),
      grouped(std::llround(static_cast<double>(train.count) / state_.seconds))));
}

void Trainer::diverged() const {
  const std::string kept = saved_epoch_ == 0
                               ? "this run has saved nothing yet in " + directory_.path().string()
                               : fmt::format("{} is as of epoch {}",
                                             directory_.checkpoint_path().string(), saved_epoch_);
  throw InputError(
      fmt::format("the loss is not finite any more at step {} (epoch {}); give a --lr below {}; {}",
                  result_.steps, state_.epoch, settings_.lr, kept));
}

}  // namespace digitron
