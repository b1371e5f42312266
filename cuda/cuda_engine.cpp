#include "cuda/cuda_engine.h"

#include <algorithm>
#include <climits>
#include <type_traits>

#include "cuda/copy.h"
#include "cuda/system.h"
#include "host/shared/permutation.h"

namespace digitron {

namespace {

static_assert(std::is_trivially_copyable_v<StepState>, "it is copied to the device as bytes");

std::string device_line(int device, const CudaOptions& options) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return "CUDA, " + std::string(properties.name) +
         (options.graph ? ", graphs of " + std::to_string(options.steps_per_graph) + " steps"
                        : ", no graphs") +
         (options.deterministic ? "" : ", not deterministic");
}

Permutation in_file_order(int count) {
  return Permutation(0, 0, static_cast<uint32_t>(count), false);
}

}  // namespace

CudaEngine::CudaEngine(const Plan& plan, int device, const CudaOptions& options)
    : plan_(plan),
      context_(device, options),
      device_(device),
      description_(device_line(device, options)),
      chosen_(make_step(context_, plan_)) {
  staged_.count = chosen_.step->evaluation_batch(INT_MAX);
  const auto rows = static_cast<size_t>(staged_.count);
  memory_.add("parameters", &parameters_, plan_.parameter_floats);
  memory_.add("running statistics", &running_statistics_, plan_.buffer_floats);
  memory_.add("step state", &state_, 1);
  memory_.add("staged images", &staged_.images, rows * plan_.pixels());
  memory_.add("staged labels", &staged_.labels, rows);
  memory_.allocate();

  check(cudaEventCreate(begin_.out()), "cudaEventCreate");
  check(cudaEventCreate(end_.out()), "cudaEventCreate");
  set_state(State::kParameters, std::vector<float>(plan_.parameter_floats));
  set_state(State::kRunningStatistics, initial_buffers(plan_));
  configure({});
  // The rest of a staged batch that is not full is read all the same.
  const std::vector<uint8_t> blank(rows * plan_.pixels());
  upload<uint8_t>(staged_.images, blank, stream());
  upload<uint8_t>(staged_.labels, std::span(blank).first(rows), stream());
  wait();
}

EngineDescription CudaEngine::describe() const {
  return {.line = description_ + ", " + chosen_.step->description() + " (" + chosen_.reason + ")",
          .precision = context_.options.tf32 ? "tf32" : "fp32",
          .steps_per_graph = context_.options.graph ? context_.options.steps_per_graph : 0,
          .details = details()};
}

std::vector<Detail> CudaEngine::details() const {
  std::vector<Detail> details = system_details(device_);
  details.push_back({"step", "way", step_word(chosen_.kind)});
  details.push_back({"step", "reason", chosen_.reason});
  for (Detail& detail : chosen_.step->details()) details.push_back(std::move(detail));
  int64_t sum = 0;
  for (const auto& slices :
       {memory_.slices(), chosen_.step->slices(), optimizer_memory_.slices(), data_.slices()}) {
    for (const Slice& slice : slices) {
      sum += static_cast<int64_t>(slice.bytes);
      details.push_back({"memory bytes", slice.name, static_cast<int64_t>(slice.bytes)});
    }
  }
  details.push_back({"memory bytes", "sum", sum});
  return details;
}

void CudaEngine::load(std::shared_ptr<const Dataset> train,
                      std::shared_ptr<const Dataset> held_out) {
  graphs_.clear();       // they point into the memory that goes
  data_ = DataMemory();  // before the new one is asked for
  data_ = DataMemory(*train, *held_out, plan_.batch, stream());
  if (const int ragged = train->count() % plan_.batch) chosen_.step->prepare(ragged, true);
  const int batch = chosen_.step->evaluation_batch(held_out->count());
  if (held_out->count() >= batch) chosen_.step->prepare(batch, false);
  if (const int ragged = held_out->count() % batch) chosen_.step->prepare(ragged, false);
}

void CudaEngine::wait() const {
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

float* CudaEngine::buffer(State which) const {
  switch (which) {
    case State::kParameters:
      return parameters_;
    case State::kMomentum:
      return optimizer_memory_.momentum();
    case State::kSecondMoment:
      return optimizer_memory_.second_moment();
    case State::kAverage:
      return optimizer_memory_.average();
    case State::kRunningStatistics:
      return running_statistics_;
  }
  return nullptr;
}

void CudaEngine::set_state(State which, std::span<const float> values) {
  float* kept = buffer(which);
  if (!kept || values.empty()) return;
  upload(kept, values, stream());
  wait();
}

std::vector<float> CudaEngine::state(State which) const {
  const size_t count = state_floats(plan_, which);
  const float* kept = buffer(which);
  return kept && count > 0 ? download(kept, count, stream()) : std::vector<float>(count);
}

void CudaEngine::configure(const Training& training) {
  graphs_.clear();  // their arguments are constants of the training and places of its buffers
  const std::vector<float> momentum = state(State::kMomentum);
  const std::vector<float> second_moment = state(State::kSecondMoment);
  const std::vector<float> average = state(evaluated_state(training_.optimizer));
  training_ = training;
  optimizer_memory_ = OptimizerMemory(training.optimizer, plan_.parameter_floats);
  set_state(State::kMomentum, momentum);
  set_state(State::kSecondMoment, second_moment);
  set_state(State::kAverage, average);
}

StepData CudaEngine::step_data(const DeviceSamples& samples, State parameters) const {
  const OptimizerMemory& optimizer = optimizer_memory_;
  return {
      samples,
      {buffer(parameters), optimizer.momentum(), optimizer.second_moment(), optimizer.average()},
      running_statistics_,
      state_,
      data_.rates(),
      data_.metrics(),
      &training_};
}

std::vector<Metrics> CudaEngine::train(int epoch, int first, std::span<const StepRates> rates) {
  epoch_range_.begin(epoch);
  start_training(epoch, first, rates);
  const int last = first + static_cast<int>(rates.size());
  std::vector<Metrics> metrics = run(data_.train(), first, last, plan_.batch, true);
  if (last == steps_per_epoch(data_.train().count, plan_.batch)) epoch_range_.end();
  return metrics;
}

Profile CudaEngine::profile(int epoch, int first, std::span<const StepRates> rates, bool trace) {
  start_training(epoch, first, rates);
  chosen_.step->prepare(plan_.batch, true);
  Profile profile = chosen_.step->profile(step_data(data_.train(), State::kParameters), plan_.batch,
                                          static_cast<int>(rates.size()), trace);
  for (TraceEvent& event : profile.trace) event.step += first;
  return profile;
}

Metrics CudaEngine::evaluate(Split split) {
  const NvtxRange range(range_names().evaluate);
  const DeviceSamples& samples = split == Split::kTrain ? data_.train() : data_.held_out();
  Metrics total;
  start(in_file_order(samples.count), 0, 0, 0);
  const int batch = chosen_.step->evaluation_batch(samples.count);
  const int steps = steps_per_epoch(samples.count, batch);
  for (const Metrics& step : run(samples, 0, steps, batch, false)) total += step;
  return total;
}

Timing CudaEngine::timing() const {
  if (!timed_) return {};
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
  return {true, {milliseconds / 1000}};
}

std::vector<float> CudaEngine::predict(std::span<const uint8_t> images) {
  const size_t count = images.size() / plan_.pixels();
  const int batch = chosen_.step->evaluation_batch(static_cast<int>(count));
  const auto rows = static_cast<size_t>(batch);
  chosen_.step->prepare(batch, false);
  const StepData data = step_data(staged_, evaluated_state(training_.optimizer));
  std::vector<float> logits;
  for (size_t i = 0; i < count; i += rows) {
    const size_t n = std::min(rows, count - i);
    upload(staged_.images, images.subspan(i * plan_.pixels(), n * plan_.pixels()), stream());
    start(in_file_order(batch), 0, 0, 0);
    // Rows above n are what was there before.
    const float* all = chosen_.step->forward(data, batch);
    const std::vector<float> part =
        download(all, n * static_cast<size_t>(plan_.classes()), stream());
    logits.insert(logits.end(), part.begin(), part.end());
  }
  return logits;
}

void CudaEngine::start_training(int epoch, int first, std::span<const StepRates> rates) {
  const int count = data_.train().count;
  require_trainable(plan_, count);
  const Permutation order(training_.seed, static_cast<uint32_t>(epoch),
                          static_cast<uint32_t>(count), training_.shuffle);
  sent_rates_.assign(rates.begin(), rates.end());
  upload<StepRates>(data_.rates(), sent_rates_, stream());
  const uint32_t step = global_step(epoch, first, count, plan_.batch);
  steps_before_ = step - static_cast<uint32_t>(first);
  start(order, epoch, first * plan_.batch, step);
}

void CudaEngine::start(const Permutation& order, int epoch, int first_sample, uint32_t step) {
  sent_state_ = {order,          static_cast<uint32_t>(first_sample),
                 training_.seed, static_cast<uint32_t>(epoch),
                 step,           0};
  upload<StepState>(state_, std::span(&sent_state_, 1), stream());
}

// Steps [first, last) of `batch` samples from where start() has put the state, trained or only
// measured; waits once, at the end.
std::vector<Metrics> CudaEngine::run(const DeviceSamples& samples, int first, int last, int batch,
                                     bool training) {
  const CudaOptions& options = context_.options;
  const int together = options.graph ? options.steps_per_graph : 1;
  const int whole = std::min(last, samples.count / batch);  // steps before the ragged one
  check(cudaEventRecord(begin_.get(), stream()), "cudaEventRecord");
  for (int step = first; step < last;) {
    const int steps = whole - step >= together ? together : 1;
    const NvtxRange range = step_range(step, steps, training);
    run_steps(samples, step < whole ? batch : samples.count % batch, steps, training);
    step += steps;
  }
  check(cudaEventRecord(end_.get(), stream()), "cudaEventRecord");
  timed_ = true;
  std::vector<Metrics> metrics;
  for (const LossSums& sums :
       download(data_.metrics(), static_cast<size_t>(std::max(0, last - first)), stream())) {
    metrics.push_back({sums.loss, sums.correct, sums.count});
  }
  return metrics;
}

NvtxRange CudaEngine::step_range(int step, int steps, bool training) const {
  const RangeNames& names = range_names();
  const uint64_t number = static_cast<uint64_t>(step) + 1;
  if (!training) return {names.batch, number};
  return {steps == 1 ? names.step : names.steps, steps_before_ + number};
}

void CudaEngine::run_steps(const DeviceSamples& samples, int n, int steps, bool training) {
  chosen_.step->prepare(n, training);
  const State parameters = training ? State::kParameters : evaluated_state(training_.optimizer);
  const auto enqueue = [&, data = step_data(samples, parameters)] {
    training ? chosen_.step->train(data, n, steps) : chosen_.step->evaluate(data, n, steps);
  };
  if (!context_.options.graph) return enqueue();
  graphs_[{&samples, n, steps, training}].run(stream(), enqueue);
}

}  // namespace digitron
