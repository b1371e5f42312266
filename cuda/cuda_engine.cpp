#include "cuda/cuda_engine.h"

#include <algorithm>
#include <type_traits>

#include "host/dataset_constants.h"
#include "host/permutation.h"
#include "kernels/advance.h"
#include "kernels/gather.h"
#include "kernels/sgd.h"
#include "kernels/softmax_cross_entropy.h"

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
         (options.tf32 ? ", TF32" : "") + (options.deterministic ? "" : ", not deterministic");
}

Permutation in_file_order(int count) {
  return Permutation(0, 0, static_cast<uint32_t>(count), false);
}

}  // namespace

CudaEngine::CudaEngine(const Plan& plan, int device, const CudaOptions& options)
    : plan_(plan), context_(device, options), description_(describe(device, options)) {
  const auto batch = static_cast<size_t>(plan_.batch);
  const auto [whole, inserted] =
      networks_.try_emplace(plan_.batch, context_, plan_, plan_.batch, kWorkspaceLimit);
  std::byte* cublas_workspace = nullptr;
  add_tensors(memory_, tensors_, plan_, std::max(whole->second.workspace_bytes(), kLeastWorkspace));
  memory_.add("momentum", &momentum_, plan_.parameter_floats);
  memory_.add("labels", &labels_, batch);
  memory_.add("loss partials", &loss_partials_, loss_partials(plan_.batch));
  memory_.add("staged images", &staged_.images, batch * kImagePixels);
  memory_.add("staged labels", &staged_.labels, batch);
  memory_.add("cuBLAS workspace", &cublas_workspace, kCublasWorkspace);
  memory_.allocate();
  staged_.count = plan_.batch;

  // After the stream, which resets it, and before any capture, which would allocate one each.
  check(cublasSetWorkspace(context_.cublas.get(), cublas_workspace, kCublasWorkspace),
        "cublasSetWorkspace");
  // Gradients are overwritten but for the gaps between slices; a staged batch may be a short one.
  const std::vector<float> zeros(plan_.parameter_floats);
  set_parameters(zeros);
  set_momentum(zeros);
  set_buffers(initial_buffers(plan_));
  upload<float>(tensors_.gradients, zeros);
  upload<uint8_t>(staged_.images, std::vector<uint8_t>(batch * kImagePixels));
  upload<uint8_t>(staged_.labels, std::vector<uint8_t>(batch));
}

void CudaEngine::load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) {
  graphs_.clear();  // they point into the memory that goes
  data_memory_ = Arena();
  const auto add = [this](const char* name, Samples& samples, const Dataset& data) {
    samples.count = data.count();
    data_memory_.add(std::string(name) + " images", &samples.images, data.images.size());
    data_memory_.add(std::string(name) + " labels", &samples.labels, data.labels.size());
  };
  add("train", train_, *train);
  add("test", test_, *test);
  const int steps = steps_per_epoch(std::max(train_.count, test_.count), plan_.batch);
  data_memory_.add("metrics", &metrics_, static_cast<size_t>(steps));
  data_memory_.allocate();
  upload<uint8_t>(train_.images, train->images);
  upload<uint8_t>(train_.labels, train->labels);
  upload<uint8_t>(test_.images, test->images);
  upload<uint8_t>(test_.labels, test->labels);
  for (const int count : {train_.count, test_.count}) {
    if (const int ragged = count % plan_.batch) network(ragged);  // before any capture
  }
}

void CudaEngine::set_parameters(std::span<const float> parameters) {
  upload(tensors_.parameters, parameters);
}

std::vector<float> CudaEngine::parameters() const {
  return download(tensors_.parameters, plan_.parameter_floats);
}

void CudaEngine::set_momentum(std::span<const float> momentum) {
  upload(momentum_, momentum);
}

std::vector<float> CudaEngine::momentum() const {
  return download(momentum_, plan_.parameter_floats);
}

void CudaEngine::set_buffers(std::span<const float> buffers) {
  if (!buffers.empty()) upload(tensors_.buffers, buffers);
}

std::vector<float> CudaEngine::buffers() const {
  if (plan_.buffer_floats == 0) return {};
  return download(tensors_.buffers, plan_.buffer_floats);
}

std::vector<Metrics> CudaEngine::train(int epoch, int first, int last) {
  require_trainable(plan_, train_.count);
  const Permutation order(order_.seed, static_cast<uint32_t>(epoch),
                          static_cast<uint32_t>(train_.count), order_.shuffle);
  return run(train_, order, first, last, epoch);
}

Metrics CudaEngine::evaluate(Split split) {
  const Samples& samples = split == Split::kTrain ? train_ : test_;
  Metrics total;
  for (const Metrics& step : run(samples, in_file_order(samples.count), 0,
                                 steps_per_epoch(samples.count, plan_.batch), 0)) {
    total += step;
  }
  return total;
}

std::vector<float> CudaEngine::predict(std::span<const uint8_t> images) {
  const size_t count = images.size() / kImagePixels;
  const auto batch = static_cast<size_t>(plan_.batch);
  std::vector<float> logits;
  for (size_t i = 0; i < count; i += batch) {
    const size_t n = std::min(batch, count - i);
    upload(staged_.images, images.subspan(i * kImagePixels, n * kImagePixels));
    start(in_file_order(plan_.batch), 0, 0);
    gather_batch(staged_, plan_.batch);  // rows above n are what was there before
    network(plan_.batch).forward(tensors_, Pass::kEvaluation);
    const std::vector<float> rows = download(tensors_.logits(), n * kClasses);
    logits.insert(logits.end(), rows.begin(), rows.end());
  }
  return logits;
}

std::vector<float> CudaEngine::gradients(std::span<const uint8_t> images,
                                         std::span<const uint8_t> labels) {
  const int n = static_cast<int>(labels.size());
  require_trainable(plan_, n);
  upload(staged_.images, images);
  upload(staged_.labels, labels);
  start(in_file_order(plan_.batch), 0, 0);
  gather_batch(staged_, n);
  network(n).forward(tensors_, Pass::kGradients);
  loss(n);
  network(n).backward(tensors_);
  return download(tensors_.gradients, plan_.parameter_floats);
}

std::vector<Slice> CudaEngine::memory() const {
  std::vector<Slice> slices = memory_.slices();
  slices.insert(slices.end(), data_memory_.slices().begin(), data_memory_.slices().end());
  return slices;
}

void CudaEngine::start(const Permutation& order, int first_sample, uint32_t step) {
  const StepState state{order,
                        static_cast<uint32_t>(first_sample),
                        0,
                        step,
                        order_.seed,
                        sgd_.lr,
                        sgd_.momentum,
                        sgd_.weight_decay};
  upload<StepState>(tensors_.state, std::span(&state, 1));
}

// Steps [first, last) over the samples, trained in an epoch or, in epoch 0, only measured; waits
// once, at the end.
std::vector<Metrics> CudaEngine::run(const Samples& samples, const Permutation& order, int first,
                                     int last, int epoch) {
  const int whole = std::min(last, samples.count / plan_.batch);  // steps before the ragged one
  start(order, first * plan_.batch, global_step(epoch, first, samples.count, plan_.batch));
  for (int step = first; step < last;) {
    const int left = whole - step;
    const int steps =
        left >= context_.options.steps_per_graph ? context_.options.steps_per_graph : 1;
    run_steps(samples, left > 0 ? plan_.batch : samples.count % plan_.batch, steps, epoch > 0);
    step += steps;
  }
  std::vector<Metrics> metrics;
  for (const LossSums& sums : download(metrics_, static_cast<size_t>(std::max(0, last - first)))) {
    metrics.push_back({sums.loss, sums.correct, sums.count});
  }
  return metrics;
}

void CudaEngine::run_steps(const Samples& samples, int n, int steps, bool training) {
  const Network& network = this->network(n);
  const auto enqueue = [&] {
    for (int step = 0; step < steps; ++step) {
      gather_batch(samples, n);
      network.forward(tensors_, training ? Pass::kTraining : Pass::kEvaluation);
      loss(n);
      if (training) {
        network.backward(tensors_);
        update();
      }
      advance_step(n);
    }
  };
  if (!context_.options.graph) return enqueue();
  graphs_[{&samples, n, steps, training}].run(context_.stream.get(), enqueue);
}

void CudaEngine::gather_batch(const Samples& samples, int n) {
  check(gather(tensors_.x, labels_, samples.images, samples.labels, tensors_.state, n,
               context_.stream.get()),
        "gather");
}

// The gradient has a place of its own: a closing ReLU or pooling still needs the logits.
void CudaEngine::loss(int n) {
  check(softmax_cross_entropy(tensors_.dy, loss_partials_, tensors_.logits(), labels_, n,
                              context_.stream.get()),
        "softmax_cross_entropy");
}

void CudaEngine::update() {
  check(sgd(tensors_.parameters, momentum_, tensors_.gradients, tensors_.state,
            plan_.parameter_floats, context_.stream.get()),
        "sgd");
}

void CudaEngine::advance_step(int n) {
  check(
      advance(tensors_.state, metrics_, loss_partials_, loss_partials(n), n, context_.stream.get()),
      "advance");
}

const Network& CudaEngine::network(int n) {
  return networks_.try_emplace(n, context_, plan_, n, tensors_.workspace.bytes).first->second;
}

template <class T>
void CudaEngine::upload(T* device, std::span<const T> host) {
  check(cudaMemcpyAsync(device, host.data(), host.size_bytes(), cudaMemcpyHostToDevice,
                        context_.stream.get()),
        "cudaMemcpyAsync");
  check(cudaStreamSynchronize(context_.stream.get()), "cudaStreamSynchronize");
}

template <class T>
std::vector<T> CudaEngine::download(const T* device, size_t count) const {
  std::vector<T> host(count);
  check(cudaMemcpyAsync(host.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost,
                        context_.stream.get()),
        "cudaMemcpyAsync");
  check(cudaStreamSynchronize(context_.stream.get()), "cudaStreamSynchronize");
  return host;
}

}  // namespace digitron
