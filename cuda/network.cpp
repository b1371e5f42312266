#include "cuda/network.h"

#include <algorithm>
#include <utility>

#include "cuda/nvtx.h"
#include "host/core/error.h"
#include "host/shared/dataset_constants.h"
#include "kernels/bias.h"
#include "kernels/bias_gradient.h"
#include "kernels/dropout.h"
#include "kernels/relu.h"

namespace digitron {

namespace {

bool has_parameters(const NetworkStage& stage) {
  return stage.layer.weight >= 0;
}

// Of a convolution or a linear layer, added by our kernel.
bool has_bias(const NetworkStage& stage) {
  return has_parameters(stage) && !std::holds_alternative<BatchNorm2d>(stage.layer.layer);
}

int plane(const Shape& shape) {
  return shape.height * shape.width;
}

size_t elements(const Shape& shape, int n) {
  return static_cast<size_t>(shape.count()) * static_cast<size_t>(n);
}

}  // namespace

std::vector<NetworkStage> make_stages(const Plan& plan) {
  std::vector<NetworkStage> stages;
  for (const PlannedLayer& layer : plan.layers) {
    const bool relu = std::holds_alternative<ReLU>(layer.layer);
    const auto index = static_cast<uint32_t>(&layer - plan.layers.data());
    if (relu && !stages.empty() && has_bias(stages.back())) {
      stages.back().relu = true;  // of two in a row the second changes nothing
    } else {
      stages.push_back({layer, false, index});
    }
  }
  return stages;
}

void add_tensors(Arena& arena, Tensors& tensors, const Plan& plan, Rows rows,
                 size_t workspace_bytes) {
  const std::vector<NetworkStage> stages = make_stages(plan);
  arena.add("parameters", &tensors.parameters, plan.parameter_floats);
  arena.add("gradients", &tensors.gradients, plan.parameter_floats);
  arena.add("running statistics", &tensors.buffers, plan.buffer_floats);
  arena.add("batch statistics", &tensors.statistics, plan.buffer_floats);
  arena.add("step state", &tensors.state, 1);
  arena.add("x", &tensors.x, static_cast<size_t>(rows.evaluated) * kImagePixels);
  tensors.y.resize(stages.size());
  size_t widest = elements(plan.layers.back().out, rows.evaluated);  // the logits' gradient
  size_t partials = 0;
  for (size_t i = 0; i < stages.size(); ++i) {
    const Shape& out = stages[i].layer.out;
    arena.add(stages[i].layer.name, &tensors.y[i], elements(out, rows.evaluated));
    widest = std::max(widest, elements(out, rows.trained));
    if (!has_bias(stages[i])) continue;
    partials = std::max(partials, bias_partials(rows.trained, out.channels, plane(out)));
  }
  arena.add("dy", &tensors.dy, widest);
  arena.add("dx", &tensors.dx, widest);
  arena.add("bias partials", &tensors.bias_partials, partials);
  arena.add("cuDNN workspace", &tensors.workspace.memory, workspace_bytes);
  tensors.workspace.bytes = workspace_bytes;
}

Network::Network(const Context& context, const Plan& plan, int n, bool trains,
                 size_t workspace_limit)
    : context_(context), plan_(plan), n_(n), stages_(make_stages(plan)) {
  struct MakeOperation {
    const Context& context;
    const PlannedLayer& layer;
    bool relu;
    int n;
    Directions needed;
    size_t workspace_limit;
    Operation operator()(const Conv2d& conv) const {
      return ConvPlan(context, conv, layer.in, layer.out, n, needed, workspace_limit);
    }
    Operation operator()(const MaxPool2d& pool) const {
      return PoolPlan(context, pool, layer.in, layer.out, n);
    }
    Operation operator()(const Linear&) const {
      return LinearPlan(context, layer.in.count(), layer.out.count(), n, relu, workspace_limit);
    }
    Operation operator()(const ReLU& alone) const { return alone; }
    Operation operator()(const BatchNorm2d&) const { return BatchNormPlan(context, layer.in, n); }
    Operation operator()(const Dropout& dropout) const { return dropout; }
  };
  first_trained_ = static_cast<size_t>(
      std::find_if(stages_.begin(), stages_.end(), has_parameters) - stages_.begin());
  for (size_t i = 0; i < stages_.size(); ++i) {
    const PlannedLayer& layer = stages_[i].layer;
    const Directions needed{trains, trains && i > first_trained_};
    try {
      operations_.push_back(std::visit(
          MakeOperation{context, layer, stages_[i].relu, n, needed, workspace_limit}, layer.layer));
    } catch (const MachineError& error) {
      refuse(stages_[i], error);
    }
  }
}

void Network::refuse(const NetworkStage& stage, const MachineError& error) const {
  std::string what = error.what();
  const size_t place = what.rfind("); ");  // "(network.cpp:12); run again": advice not for here
  if (place != std::string::npos) what.resize(place + 1);
  throw InputError("no layer " + stage.layer.name + " at batch " + std::to_string(n_) +
                   " on this GPU: " + what +
                   "; change the layer or the batch, or use --device cpu");
}

void Network::settle(const Tensors& tensors) {
  for (size_t i = 0; i < stages_.size(); ++i) {
    auto* conv = std::get_if<ConvPlan>(&operations_[i]);
    if (!conv) continue;
    const Operands o = operands(i, tensors);
    try {
      conv->settle(o.y, o.dw, tensors.dx, tensors.dy, o.x, o.w, tensors.workspace);
    } catch (const MachineError& error) {
      refuse(stages_[i], error);
    }
  }
}

std::vector<Detail> Network::details(const std::string& group) const {
  std::vector<Detail> details;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const std::string& name = stages_[i].layer.name;
    if (const auto* conv = std::get_if<ConvPlan>(&operations_[i])) {
      for (Detail& detail : conv->details(group, name)) details.push_back(std::move(detail));
    } else if (const auto* linear = std::get_if<LinearPlan>(&operations_[i])) {
      details.push_back({group, name + " forward", linear->forward_algorithm()});
    }
  }
  return details;
}

size_t Network::workspace_bytes() const {
  size_t bytes = 0;
  for (const Operation& operation : operations_) {
    if (const auto* conv = std::get_if<ConvPlan>(&operation)) {
      bytes = std::max(bytes, conv->workspace_bytes());
    } else if (const auto* linear = std::get_if<LinearPlan>(&operation)) {
      bytes = std::max(bytes, linear->workspace_bytes());
    }
  }
  return bytes;
}

Network::Operands Network::operands(size_t i, const Tensors& tensors) const {
  Operands o{i == 0 ? tensors.x : tensors.y[i - 1], tensors.y[i], {}, {}, {}, {}};
  const int weight = stages_[i].layer.weight;
  if (weight < 0) return o;
  const size_t w = plan_.parameters[static_cast<size_t>(weight)].offset;
  const size_t b = plan_.parameters[static_cast<size_t>(weight) + 1].offset;
  o.w = tensors.parameters + w;
  o.b = tensors.parameters + b;
  o.dw = tensors.gradients + w;
  o.db = tensors.gradients + b;
  return o;
}

ChannelStatistics Network::statistics(size_t i, float* flat) const {
  const auto buffer = static_cast<size_t>(stages_[i].layer.buffer);
  return {flat + plan_.buffers[buffer].offset, flat + plan_.buffers[buffer + 1].offset};
}

void Network::batchnorm_forward(size_t i, const Tensors& tensors, Pass pass) const {
  const auto& norm = std::get<BatchNormPlan>(operations_[i]);
  const Operands o = operands(i, tensors);
  const ChannelStatistics running = statistics(i, tensors.buffers);
  if (pass == Pass::kEvaluation) return norm.forward_inference(o.y, o.x, o.w, o.b, running);
  norm.forward_training(o.y, o.x, o.w, o.b, pass == Pass::kTraining ? running : ChannelStatistics{},
                        statistics(i, tensors.statistics));
}

void Network::drop(size_t i, float* y, const float* x, const Tensors& tensors, Pass pass) const {
  const float probability = std::get<Dropout>(operations_[i]).probability;
  check(dropout(y, x, tensors.state, stages_[i].index, pass == Pass::kEvaluation ? 0 : probability,
                n_, stages_[i].layer.out.count(), context_.stream.get()),
        "dropout");
}

void Network::forward(const Tensors& tensors, Pass pass) const {
  const cudaStream_t stream = context_.stream.get();
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Shape& out = stages_[i].layer.out;
    const Operands o = operands(i, tensors);
    const NvtxRange range(stages_[i].layer.name + " forward");
    if (const auto* conv = std::get_if<ConvPlan>(&operations_[i])) {
      conv->forward(o.y, o.x, o.w, tensors.workspace);
      check(add_bias(o.y, o.b, n_, out.channels, plane(out), stages_[i].relu, stream), "add_bias");
    } else if (const auto* pool = std::get_if<PoolPlan>(&operations_[i])) {
      pool->forward(o.y, o.x);
    } else if (const auto* linear = std::get_if<LinearPlan>(&operations_[i])) {
      linear->forward(o.y, o.x, o.w, o.b, tensors.workspace);
    } else if (std::holds_alternative<BatchNormPlan>(operations_[i])) {
      batchnorm_forward(i, tensors, pass);
    } else if (std::holds_alternative<Dropout>(operations_[i])) {
      drop(i, o.y, o.x, tensors, pass);
    } else {
      check(relu_forward(o.y, o.x, elements(out, n_), stream), "relu_forward");
    }
  }
}

void Network::backward(const Tensors& tensors) const {
  const cudaStream_t stream = context_.stream.get();
  float* dy = tensors.dy;
  float* dx = tensors.dx;
  for (size_t i = stages_.size(); i-- > first_trained_;) {
    const Shape& out = stages_[i].layer.out;
    const Operands o = operands(i, tensors);
    const bool to_input = i > first_trained_;
    const NvtxRange range(stages_[i].layer.name + " backward");
    if (has_bias(stages_[i])) {
      check(bias_gradient(o.db, dy, tensors.bias_partials, stages_[i].relu ? o.y : nullptr, n_,
                          out.channels, plane(out), stream),
            "bias_gradient");
    }
    if (const auto* conv = std::get_if<ConvPlan>(&operations_[i])) {
      conv->backward_weights(o.dw, dy, o.x, tensors.workspace);
      if (to_input) conv->backward_input(dx, dy, o.w, tensors.workspace);
    } else if (const auto* pool = std::get_if<PoolPlan>(&operations_[i])) {
      pool->backward(dx, dy, o.y, o.x);
    } else if (const auto* linear = std::get_if<LinearPlan>(&operations_[i])) {
      linear->backward_weights(o.dw, dy, o.x);
      if (to_input) linear->backward_input(dx, dy, o.w);
    } else if (const auto* norm = std::get_if<BatchNormPlan>(&operations_[i])) {
      norm->backward(dx, o.dw, o.db, dy, o.x, o.w, statistics(i, tensors.statistics));
    } else if (std::holds_alternative<Dropout>(operations_[i])) {
      drop(i, dy, dy, tensors, Pass::kTraining);
      continue;  // in place
    } else {
      check(relu_backward(dy, o.y, elements(out, n_), stream), "relu_backward");
      continue;  // in place
    }
    std::swap(dy, dx);
  }
}

}  // namespace digitron
