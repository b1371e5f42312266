#include "cuda/network.h"

#include <algorithm>
#include <utility>

#include "host/core/layer_variant.h"
#include "kernels/kernels.h"

namespace digitron {

namespace {

// cuBLASLt's epilogues and our bias kernel take a ReLU along; nothing here takes more.
constexpr FusionRules kFusion{};

size_t elements(const Shape& shape, int n) {
  return static_cast<size_t>(shape.count()) * static_cast<size_t>(n);
}

}  // namespace

void add_tensors(Arena& arena, Tensors& tensors, const Plan& plan, Rows rows,
                 size_t workspace_bytes) {
  const std::vector<FusedLayers> layers = fuse(plan, kFusion);
  arena.add("gradients", &tensors.gradients, plan.parameter_floats);
  arena.add("batch statistics", &tensors.batch_statistics, plan.buffer_floats);
  arena.add("x", &tensors.x, static_cast<size_t>(rows.evaluated) * plan.pixels());
  tensors.y.resize(layers.size());
  size_t widest = elements(plan.layers.back().out, rows.evaluated);  // the logits' gradient
  size_t partials = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Shape& out = layers[i].out;
    arena.add(layers[i].layer->name, &tensors.y[i], elements(out, rows.evaluated));
    widest = std::max(widest, elements(out, rows.trained));
    const PlannedLayer& layer = *layers[i].layer;
    if (!layer.parameters || layer.statistics) continue;  // cuDNN makes those of a normalisation
    partials = std::max(partials, bias_partials(rows.trained, out.channels, out.plane()));
  }
  arena.add("dy", &tensors.dy, widest);
  arena.add("dx", &tensors.dx, widest);
  arena.add("bias partials", &tensors.bias_partials, partials);
  arena.add("cuDNN workspace", &tensors.workspace.memory, workspace_bytes);
  tensors.workspace.bytes = workspace_bytes;
}

Network::Network(const Context& context, const Plan& plan, int n, bool trains,
                 size_t workspace_limit)
    : plan_(plan), n_(n), layers_(fuse(plan, kFusion)) {
  for (const FusedLayers& layers : layers_) {
    const std::string& name = layers.layer->name;
    ranges_.push_back(
        {{name + " forward", RangeKind::kForward}, {name + " backward", RangeKind::kBackward}});
    try {
      const OperationRequest request{context, layers, n, trains, workspace_limit};
      operations_.push_back(make_for_layer<AnyOperation>(request, layers.layer->layer));
    } catch (const MachineError& error) {
      refuse(*layers.layer, error);
    }
  }
}

void Network::refuse(const PlannedLayer& layer, const MachineError& error) const {
  std::string what = error.what();
  const size_t place = what.rfind("); ");  // "(network.cpp:12); run again": advice not for here
  if (place != std::string::npos) what.resize(place + 1);
  throw InputError("no layer " + layer.name + " at batch " + std::to_string(n_) + " on this GPU: " +
                   what + "; change the layer or the batch, or use --device cpu");
}

void Network::settle(const Tensors& tensors) {
  for (size_t i = 0; i < operations_.size(); ++i) {
    try {
      std::visit([&](auto& operation) { operation.settle(operands(i, tensors)); }, operations_[i]);
    } catch (const MachineError& error) {
      refuse(*layers_[i].layer, error);
    }
  }
}

std::vector<Detail> Network::details(const std::string& group) const {
  std::vector<Detail> all;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const auto of = [&](const auto& operation) {
      return operation.details(group, layers_[i].layer->name);
    };
    for (Detail& detail : std::visit(of, operations_[i])) all.push_back(std::move(detail));
  }
  return all;
}

size_t Network::workspace_bytes() const {
  size_t bytes = 0;
  for (const AnyOperation& any : operations_) {
    bytes = std::max(
        bytes, std::visit([](const auto& operation) { return operation.workspace_bytes(); }, any));
  }
  return bytes;
}

Operands Network::operands(size_t i, const Tensors& tensors) const {
  Operands o{.x = i == 0 ? tensors.x : tensors.y[i - 1], .y = tensors.y[i]};
  o.dy = tensors.dy;
  o.dx = tensors.dx;
  o.state = tensors.state;
  o.bias_partials = tensors.bias_partials;
  o.workspace = tensors.workspace;
  const PlannedLayer& layer = *layers_[i].layer;
  if (layer.parameters) {
    const size_t weight = plan_.weight(layer).offset;
    const size_t bias = plan_.bias(layer).offset;
    o.w = tensors.parameters + weight;
    o.b = tensors.parameters + bias;
    o.dw = tensors.gradients + weight;
    o.db = tensors.gradients + bias;
  }
  if (layer.statistics) {
    const size_t mean = plan_.running_mean(layer).offset;
    const size_t variance = plan_.running_variance(layer).offset;
    o.running = {tensors.running_statistics + mean, tensors.running_statistics + variance};
    o.batch = {tensors.batch_statistics + mean, tensors.batch_statistics + variance};
  }
  return o;
}

void Network::forward(const Tensors& tensors, Pass pass, PhaseEvents* events) const {
  for (size_t i = 0; i < operations_.size(); ++i) {
    const NvtxRange range(ranges_[i].forward);
    std::visit([&](const auto& operation) { operation.forward(operands(i, tensors), pass); },
               operations_[i]);
    mark(events, layers_[i].layer->name, "forward");
  }
}

void Network::backward(const Tensors& tensors, PhaseEvents* events) const {
  float* dy = tensors.dy;
  float* dx = tensors.dx;
  for (size_t i = operations_.size(); i-- > 0 && layers_[i].layer->has_backward();) {
    const NvtxRange range(ranges_[i].backward);
    Operands o = operands(i, tensors);
    o.dy = dy;
    o.dx = dx;
    const bool in_place = std::visit(
        [&](const auto& operation) {
          operation.backward(o);
          return operation.kInPlace;
        },
        operations_[i]);
    if (!in_place) std::swap(dy, dx);
    mark(events, layers_[i].layer->name, "backward");
  }
}

}  // namespace digitron
