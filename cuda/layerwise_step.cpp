#include "cuda/layerwise_step.h"

#include <algorithm>
#include <climits>

#include "cuda/copy.h"
#include "cuda/nvtx.h"

namespace digitron {

namespace {

constexpr size_t kWorkspaceLimit = size_t{256} << 20;
constexpr size_t kLeastWorkspace = size_t{32} << 20;   // so that ragged batches find algorithms too
constexpr size_t kCublasWorkspace = size_t{32} << 20;  // what cuBLAS asks for on sm_90

// Images of an evaluation at once: as asked, but for a model whose activations would then take more
// than a gibibyte; and never fewer than a step has.
Rows rows_of(const Plan& plan, int evaluation_batch) {
  constexpr size_t kMostFloats = size_t{1} << 28;
  const size_t sample_floats =
      std::max<size_t>(1, plan.activation_floats / static_cast<size_t>(plan.batch));
  const auto fitting = static_cast<int>(std::min<size_t>(kMostFloats / sample_floats, INT_MAX));
  return {plan.batch, std::max(plan.batch, std::min(evaluation_batch, fitting))};
}

}  // namespace

LayerwiseStep::LayerwiseStep(const Context& context, const Plan& plan)
    : context_(context), plan_(plan), rows_(rows_of(plan, context.options.evaluation_batch)) {
  Network whole(context_, plan_, plan_.batch, true, kWorkspaceLimit);
  std::byte* cublas_workspace = nullptr;
  add_tensors(memory_, tensors_, plan_, rows_, std::max(whole.workspace_bytes(), kLeastWorkspace));
  memory_.add("labels", &labels_, static_cast<size_t>(rows_.evaluated));
  memory_.add("loss partials", &loss_partials_, loss_partials(rows_.evaluated));
  memory_.add("cuBLAS workspace", &cublas_workspace, kCublasWorkspace);
  memory_.allocate();

  // cublasSetStream resets the workspace of cuBLAS, so this comes after it; and it comes before any
  // capture, because without a workspace of ours each captured graph would get one of its own.
  check(cublasSetWorkspace(context_.cublas.get(), cublas_workspace, kCublasWorkspace),
        "cublasSetWorkspace");
  settle(whole);
  networks_.emplace(std::pair(plan_.batch, true), std::move(whole));
  // No kernel writes the gaps between the gradients' slices, which the optimiser reads.
  const std::vector<float> zeros(plan_.parameter_floats);
  upload<float>(tensors_.gradients, zeros, stream());
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

std::vector<Detail> LayerwiseStep::details() const {
  std::vector<Detail> details;
  for (const auto& [key, network] : networks_) {
    const std::string group =
        key.second ? "algorithms at batch " : "algorithms of evaluation at batch ";
    for (Detail& detail : network.details(group + std::to_string(key.first))) {
      details.push_back(std::move(detail));
    }
  }
  return details;
}

int LayerwiseStep::evaluation_batch(int count) const {
  return count <= rows_.trained ? rows_.trained : rows_.evaluated;
}

void LayerwiseStep::train(const StepData& data, int n, int steps) {
  const Network& network = this->network(n, true);
  for (int step = 0; step < steps; ++step) enqueue_step(data, network, n, nullptr);
}

Profile LayerwiseStep::profile(const StepData& data, int n, int steps, bool) {
  const Network& network = this->network(n, true);
  const size_t most_phases = 2 * plan_.layers.size() + 4;  // and enqueue_step's own
  PhaseEvents events(stream(), steps, most_phases);
  for (int step = 0; step < steps; ++step) {
    enqueue_step(data, network, n, &events);
    events.end_step();
  }
  return events.profile();
}

void LayerwiseStep::enqueue_step(const StepData& data, const Network& network, int n,
                                 PhaseEvents* events) const {
  const Tensors tensors = this->tensors(data);
  gather_batch(data, n, data.training->augmentation);
  mark(events, "gather", "");
  network.forward(tensors, Pass::kTraining, events);
  loss(n, data.training->label_smoothing);
  mark(events, "loss", "");
  network.backward(tensors, events);
  update(data);
  mark(events, "update", "");
  advance_step(data, n);
  mark(events, "advance", "");
}

void LayerwiseStep::evaluate(const StepData& data, int n, int steps) {
  for (int step = 0; step < steps; ++step) {
    forward(data, n);
    loss(n, 0);
    advance_step(data, n);
  }
}

const float* LayerwiseStep::forward(const StepData& data, int n) {
  gather_batch(data, n, {});
  network(n, false).forward(tensors(data), Pass::kEvaluation);
  return tensors_.logits();
}

Tensors LayerwiseStep::tensors(const StepData& data) const {
  Tensors tensors = tensors_;
  tensors.parameters = data.buffers.w;
  tensors.running_statistics = data.running_statistics;
  tensors.state = data.state;
  return tensors;
}

void LayerwiseStep::gather_batch(const StepData& data, int n,
                                 const Augmentation& augmentation) const {
  const NvtxRange range(range_names().gather);
  check(gather(tensors_.x, labels_, data.samples.images, data.samples.labels, data.state,
               pixel_form(plan_.model.task), augmentation, n, stream()),
        "gather");
}

// The gradient has a place of its own: a closing ReLU or pooling still needs the logits.
void LayerwiseStep::loss(int n, float smoothing) const {
  const NvtxRange range(range_names().loss);
  check(softmax_cross_entropy(tensors_.dy, loss_partials_, tensors_.logits(), labels_, n,
                              plan_.classes(), smoothing, stream()),
        "softmax_cross_entropy");
}

void LayerwiseStep::update(const StepData& data) const {
  const NvtxRange range(range_names().update);
  check(optimizer_step(data.buffers, tensors_.gradients, update_rule(data.training->optimizer),
                       data.rates, data.state, plan_.parameter_floats, stream()),
        "optimizer_step");
}

void LayerwiseStep::advance_step(const StepData& data, int n) const {
  const NvtxRange range(range_names().advance);
  check(advance(data.state, data.metrics, loss_partials_, loss_partials(n), n, stream()),
        "advance");
}

const Network& LayerwiseStep::network(int n, bool trains) {
  for (const bool able : {true, trains}) {  // one that trains evaluates, too
    const auto found = networks_.find({n, able});
    if (found != networks_.end()) return found->second;
  }
  Network made(context_, plan_, n, trains, tensors_.workspace.bytes);
  settle(made);
  return networks_.emplace(std::pair(n, trains), std::move(made)).first->second;
}

// Any numbers do for the parameters, and the engine's may not be there yet.
void LayerwiseStep::settle(Network& network) const {
  Tensors tensors = tensors_;
  tensors.parameters = tensors_.gradients;
  network.settle(tensors);
}

}  // namespace digitron
