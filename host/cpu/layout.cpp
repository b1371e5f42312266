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

// A batch normalisation takes along, on the way back, a ReLU that ends the stage before it. In all
// segments but the last, other blocks go forward before one comes back.
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
  for (size_t s = layout.repeats_first_segment() ? layout.segment_begin(1) : 0;
       s < layout.segment_begin(layout.segment_count() - 1); ++s) {
    if (auto* conv = std::get_if<ConvStage>(&layout.stages[s])) conv->forward_is_lost = true;
  }
  if (layout.segment_count() > 1) layout.group_blocks = 1;  // what blocks keep lies elsewhere
}

// Which tensors outlive the meetings of the threads, of a network in several segments. The samples
// and what a batch normalisation makes are made again on the way back, which is cheap; in the last
// segment a block turns round at once.
void keep_slots(const CpuLayout& layout, std::vector<Slot>& slots) {
  const int last = layout.segment_count() - 1;
  for (int segment = 0; segment <= last; ++segment) {
    const size_t begin = layout.segment_begin(segment);
    const size_t end = layout.segment_begin(segment + 1);
    if (segment > 0) slots[begin + 1].gradient_kept = true;  // of a batch normalisation's output
    if (segment == last || (segment == 0 && layout.repeats_first_segment())) continue;
    for (size_t s = begin + (segment == 0 ? 1 : 2); s < end; ++s) slots[s].kept = true;
    slots[end].kept = true;  // what the next batch normalisation takes
  }
}

// A stage's output is the next one's input: all values first, then all gradients.
void place_slots(CpuLayout& layout) {
  std::vector<Slot> slots;
  for (const Stage& stage : layout.stages) slots.push_back(base(stage).in);
  slots.push_back(base(layout.stages.back()).out);
  keep_slots(layout, slots);
  MemorySizes& sizes = layout.sizes;
  const auto take = [&](bool kept, const Slot& slot) {
    return MemorySizes::take(kept ? sizes.kept_floats : sizes.passing_floats, slot.floats());
  };
  for (Slot& slot : slots) slot.place = take(slot.kept, slot);
  for (Slot& slot : slots) slot.gradient_place = take(slot.gradient_kept, slot);
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    const std::optional<size_t> in_batch = base(layout.stages[s]).gradient_in_batch;
    if (!in_batch) continue;
    slots[s + 1].gradient_kept = false;
    slots[s + 1].gradient_in_batch = true;
    slots[s + 1].gradient_place = *in_batch;
  }
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    base(layout.stages[s]).in = slots[s];
    base(layout.stages[s]).out = slots[s + 1];
  }
  sizes.scratch = MemorySizes::take(sizes.passing_floats, sizes.scratch_floats);
}

}  // namespace

const Slot& CpuLayout::input() const {
  return base(stages.front()).in;
}

const Slot& CpuLayout::logits() const {
  return base(stages.back()).out;
}

PixelValues pixel_values(const PixelForm& form) {
  PixelValues values{form.channels, form.height, form.width, {}, {}};
  for (int c = 0; c < form.channels; ++c) {
    values.scale[c] = 1.0f / (255.0f * form.deviation[c]);
    values.shift[c] = -form.mean[c] / form.deviation[c];
  }
  return values;
}

CpuLayout make_cpu_layout(const Plan& plan) {
  CpuLayout layout;
  layout.pixels = pixel_values(pixel_form(plan.model.task));
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
