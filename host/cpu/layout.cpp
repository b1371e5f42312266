#include "host/cpu/layout.h"

#include <algorithm>

#include "host/core/layer_variant.h"

namespace digitron {

namespace {

constexpr FusionRules kFusion{.relu = true, .pooling = true, .dropout = true};

StageBase& base(Stage& stage) {
  return std::visit([](StageBase& each) -> StageBase& { return each; }, stage);
}

const StageBase& base(const Stage& stage) {
  return std::visit([](const StageBase& each) -> const StageBase& { return each; }, stage);
}

// A batch normalisation takes along, on the way back, a ReLU that ends the stage before it.
void divide(CpuLayout& layout) {
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    auto* norm = std::get_if<BatchNormStage>(&layout.stages[s]);
    if (!norm) continue;
    layout.segments.push_back(s);
    auto* conv = s > 0 ? std::get_if<ConvStage>(&layout.stages[s - 1]) : nullptr;
    if (!conv || !conv->relu || conv->has_pool()) continue;
    conv->relu_backward_in_next_stage = norm->backward_through_relu = true;
  }
  layout.segments.push_back(layout.stages.size());
}

// A stage's output is the next one's input: all values first, then all gradients.
void place_slots(CpuLayout& layout) {
  size_t& end = layout.sizes.block_floats;
  std::vector<Slot> slots;
  for (const Stage& stage : layout.stages) slots.push_back(base(stage).in);
  slots.push_back(base(layout.stages.back()).out);
  for (Slot& slot : slots) slot.place = MemorySizes::take(end, slot.floats());
  for (Slot& slot : slots) slot.gradient_place = MemorySizes::take(end, slot.floats());
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    const std::optional<size_t> in_batch = base(layout.stages[s]).gradient_in_batch;
    if (!in_batch) continue;
    slots[s + 1].gradient_in_batch = true;
    slots[s + 1].gradient_place = *in_batch;
  }
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    base(layout.stages[s]).in = slots[s];
    base(layout.stages[s]).out = slots[s + 1];
  }
  layout.sizes.scratch = MemorySizes::take(end, layout.sizes.scratch_floats);
}

}  // namespace

const Slot& CpuLayout::input() const {
  return base(stages.front()).in;
}

const Slot& CpuLayout::logits() const {
  return base(stages.back()).out;
}

CpuLayout make_cpu_layout(const Plan& plan) {
  CpuLayout layout;
  for (const FusedLayers& layers : fuse(plan, kFusion)) {
    const StageRequest request{plan, layers, layout.stages.empty(), layout.sizes};
    if (!layers.layer->has_backward()) ++layout.first_trained;
    layout.stages.push_back(make_for_layer<Stage>(request, layers.layer->layer));
    layout.names.push_back(layers.layer->name);
    const int together =
        std::visit([](const auto& stage) { return stage.kBlocksTogether; }, layout.stages.back());
    layout.group_blocks = std::min(layout.group_blocks, together);
  }
  divide(layout);
  place_slots(layout);
  return layout;
}

}  // namespace digitron
