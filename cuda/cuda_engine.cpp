#include "cuda/cuda_engine.h"

#include <algorithm>
#include <climits>
#include <type_traits>

#include "cuda/copy.h"
#include "cuda/nvtx.h"
#include "cuda/system.h"
#include "host/shared/dataset_constants.h"
#include "host/shared/permutation.h"
#include "kernels/kernels.h"

namespace digitron {

namespace {

static_assert(std::is_trivially_copyable_v<StepState>, "it is copied to the device as bytes");

constexpr size_t kWorkspaceLimit = size_t{256} << 20;
constexpr size_t kLeastWorkspace = size_t{32} << 20;   // so that ragged batches find algorithms too
constexpr size_t kCublasWorkspace = size_t{32} << 20;  // what cuBLAS asks for on sm_90

std::string describe(int device, const CudaOptions& options) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return "CUDA, " + std::string(properties.name) +
         (options.graph ? ", graphs of " + std::to_string(options.steps_per_graph) + " steps"
                        : ", no graphs") +
         (options.deterministic ? "" : ", not deterministic");
}

// Images of an evaluation at once: as asked, but for a model whose activations would then take more
// than a gibibyte; and never fewer than a step has.
Rows rows_of(const Plan& plan, int evaluation_batch) {
  constexpr size_t kMostFloats = size_t{1} << 28;
  const size_t sample_floats =
      std::max<size_t>(1, plan.activation_floats / static_cast<size_t>(plan.batch));
  const auto fitting = static_cast<int>(std::min<size_t>(kMostFloats / sample_floats, INT_MAX));
  return {plan.batch, std::max(plan.batch, std::min(evaluation_batch, fitting))};
}

Permutation in_file_order(int count) {
  return Permutation(0, 0, static_cast<uint32_t>(count), false);
}

}  // namespace

CudaEngine::CudaEngine(const Plan& plan, int device, const CudaOptions& options)
    : plan_(plan),
      context_(device, options),
      device_(device),
      description_(describe(device, options)),
      rows_(rows_of(plan, options.evaluation_batch)) {
  const auto rows = static_cast<size_t>(rows_.evaluated);
  Network whole(context_, plan_, plan_.batch, true, kWorkspaceLimit);
  std::byte* cublas_workspace = nullptr;
  add_tensors(memory_, tensors_, plan_, rows_, std::max(whole.workspace_bytes(), kLeastWorkspace));
  memory_.add("labels", &labels_, rows);
  memory_.add("loss partials", &loss_partials_, loss_partials(rows_.evaluated));
  memory_.add("staged images", &staged_.images, rows * kImagePixels);
  memory_.add("staged labels", &staged_.labels, rows);
  memory_.add("cuBLAS workspace", &cublas_workspace, kCublasWorkspace);
  memory_.allocate();
  staged_.count = rows_.evaluated;

  check(cudaEventCreate(begin_.out()), "cudaEventCreate");
  check(cudaEventCreate(end_.out()), "cudaEventCreate");
  // cublasSetStream resets the workspace of cuBLAS, so this comes after it; and it comes before any
  // capture, because without a workspace of ours each captured graph would get one of its own.
  check(cublasSetWorkspace(context_.cublas.get(), cublas_workspace, kCublasWorkspace),
        "cublasSetWorkspace");
  whole.settle(tensors_);
  networks_.emplace(std::pair(plan_.batch, true), std::move(whole));
  // What no kernel writes must be zero all the same: the gaps between the gradients' slices, which
  // the optimiser reads, and the rest of a staged batch that is not full.
  const std::vector<float> zeros(plan_.parameter_floats);
  const std::vector<uint8_t> blank(rows * kImagePixels);
  set_state(State::kParameters, zeros);
  set_state(State::kRunningStatistics, initial_buffers(plan_));
  configure({});
  upload<float>(tensors_.gradients, zeros, stream());
  upload<uint8_t>(staged_.images, blank, stream());
  upload<uint8_t>(staged_.labels, std::span(blank).first(rows), stream());
  wait();
}

std::vector<Detail> CudaEngine::details() const {
  std::vector<Detail> details = system_details(device_);
  for (const auto& [key, network] : networks_) {
    const std::string group =
        key.second ? "algorithms at batch " : "algorithms of evaluation at batch ";
    for (Detail& detail : network.details(group + std::to_string(key.first))) {
      details.push_back(std::move(detail));
    }
  }
  int64_t sum = 0;
  for (const auto* slices : {&memory_.slices(), &optimizer_memory_.slices(), &data_.slices()}) {
    for (const Slice& slice : *slices) {
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
  if (const int ragged = train->count() % plan_.batch) network(ragged, true);
  if (held_out->count() >= rows_.evaluated) network(rows_.evaluated, false);
  if (const int ragged = held_out->count() % rows_.evaluated) network(ragged, false);
}

void CudaEngine::wait() const {
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

float* CudaEngine::buffer(State which) const {
  switch (which) {
    case State::kParameters:
      return tensors_.parameters;
    case State::kMomentum:
      return optimizer_memory_.momentum();
    case State::kSecondMoment:
      return optimizer_memory_.second_moment();
    case State::kAverage:
      return optimizer_memory_.average();
    case State::kRunningStatistics:
      return tensors_.running_statistics;
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

Tensors CudaEngine::evaluated_tensors() const {
  Tensors tensors = tensors_;
  tensors.parameters = buffer(evaluated_state(training_.optimizer));
  return tensors;
}

std::vector<Metrics> CudaEngine::train(int epoch, int first, std::span<const StepRates> rates) {
  const NvtxRange range("epoch " + std::to_string(epoch));
  const Samples& samples = data_.train();
  require_trainable(plan_, samples.count);
  const Permutation order(training_.seed, static_cast<uint32_t>(epoch),
                          static_cast<uint32_t>(samples.count), training_.shuffle);
  sent_rates_.assign(rates.begin(), rates.end());
  upload<StepRates>(data_.rates(), sent_rates_, stream());
  start(order, epoch, first * plan_.batch, global_step(epoch, first, samples.count, plan_.batch));
  return run(samples, first, first + static_cast<int>(rates.size()), plan_.batch, true);
}

Metrics CudaEngine::evaluate(Split split) {
  const NvtxRange range(split == Split::kTrain ? "evaluate train" : "evaluate held-out");
  const Samples& samples = split == Split::kTrain ? data_.train() : data_.held_out();
  Metrics total;
  start(in_file_order(samples.count), 0, 0, 0);
  const int steps = steps_per_epoch(samples.count, rows_.evaluated);
  for (const Metrics& step : run(samples, 0, steps, rows_.evaluated, false)) total += step;
  return total;
}

double CudaEngine::device_seconds() const {
  if (!timed_) return -1;
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
  return milliseconds / 1000;
}

std::vector<float> CudaEngine::predict(std::span<const uint8_t> images) {
  const size_t count = images.size() / kImagePixels;
  const int rows = count <= static_cast<size_t>(plan_.batch) ? plan_.batch : rows_.evaluated;
  std::vector<float> logits;
  for (size_t i = 0; i < count; i += static_cast<size_t>(rows)) {
    const size_t n = std::min(static_cast<size_t>(rows), count - i);
    upload(staged_.images, images.subspan(i * kImagePixels, n * kImagePixels), stream());
    start(in_file_order(rows), 0, 0, 0);
    gather_batch(staged_, rows, {});  // rows above n are what was there before
    network(rows, false).forward(evaluated_tensors(), Pass::kEvaluation);
    const std::vector<float> part = download(tensors_.logits(), n * kClasses, stream());
    logits.insert(logits.end(), part.begin(), part.end());
  }
  return logits;
}

void CudaEngine::start(const Permutation& order, int epoch, int first_sample, uint32_t step) {
  sent_state_ = {order,          static_cast<uint32_t>(first_sample),
                 training_.seed, static_cast<uint32_t>(epoch),
                 step,           0};
  upload<StepState>(tensors_.state, std::span(&sent_state_, 1), stream());
}

// Steps [first, last) of `batch` samples from where start() has put the state, trained or only
// measured; waits once, at the end.
std::vector<Metrics> CudaEngine::run(const Samples& samples, int first, int last, int batch,
                                     bool training) {
  const CudaOptions& options = context_.options;
  const int together = options.graph ? options.steps_per_graph : 1;
  const int whole = std::min(last, samples.count / batch);  // steps before the ragged one
  check(cudaEventRecord(begin_.get(), stream()), "cudaEventRecord");
  for (int step = first; step < last;) {
    const int steps = whole - step >= together ? together : 1;
    const NvtxRange range(steps == 1 ? "step " + std::to_string(step)
                                     : "steps " + std::to_string(step) + " to " +
                                           std::to_string(step + steps - 1));
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

void CudaEngine::run_steps(const Samples& samples, int n, int steps, bool training) {
  const Network& network = this->network(n, training);
  const Tensors tensors = training ? tensors_ : evaluated_tensors();
  const auto enqueue = [&] {
    for (int step = 0; step < steps; ++step) {
      gather_batch(samples, n, training ? training_.augmentation : Augmentation{});
      network.forward(tensors, training ? Pass::kTraining : Pass::kEvaluation);
      loss(n, training ? training_.label_smoothing : 0);
      if (training) {
        network.backward(tensors);
        update();
      }
      advance_step(n);
    }
  };
  if (!context_.options.graph) return enqueue();
  graphs_[{&samples, n, steps, training}].run(stream(), enqueue);
}

void CudaEngine::gather_batch(const Samples& samples, int n, const Augmentation& augmentation) {
  check(gather(tensors_.x, labels_, samples.images, samples.labels, tensors_.state, augmentation, n,
               stream()),
        "gather");
}

// The gradient has a place of its own: a closing ReLU or pooling still needs the logits.
void CudaEngine::loss(int n, float smoothing) {
  check(softmax_cross_entropy(tensors_.dy, loss_partials_, tensors_.logits(), labels_, n, smoothing,
                              stream()),
        "softmax_cross_entropy");
}

void CudaEngine::update() {
  check(optimizer_step({tensors_.parameters, optimizer_memory_.momentum(),
                        optimizer_memory_.second_moment(), optimizer_memory_.average()},
                       tensors_.gradients, update_rule(training_.optimizer), data_.rates(),
                       tensors_.state, plan_.parameter_floats, stream()),
        "optimizer_step");
}

void CudaEngine::advance_step(int n) {
  check(advance(tensors_.state, data_.metrics(), loss_partials_, loss_partials(n), n, stream()),
        "advance");
}

const Network& CudaEngine::network(int n, bool trains) {
  for (const bool able : {true, trains}) {  // one that trains evaluates, too
    const auto found = networks_.find({n, able});
    if (found != networks_.end()) return found->second;
  }
  Network made(context_, plan_, n, trains, tensors_.workspace.bytes);
  made.settle(tensors_);
  return networks_.emplace(std::pair(n, trains), std::move(made)).first->second;
}

}  // namespace digitron
