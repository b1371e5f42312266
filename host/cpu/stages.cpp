#include "host/cpu/stages.h"

#include <algorithm>

namespace digitron {

namespace {

// Scratch of a pooled convolution: forward it should stay in L1 with the rows it is made from;
// backward, where every call begins by loading all weight sums, a part of L2.
constexpr size_t kForwardScratchFloats = 24 * 1024 / sizeof(float);
constexpr size_t kBackwardScratchFloats = 112 * 1024 / sizeof(float);

size_t take(size_t& end, size_t floats) {
  constexpr size_t kCacheLines = 64 / sizeof(float);
  const size_t offset = end;
  end += (floats + kCacheLines - 1) / kCacheLines * kCacheLines;
  return offset;
}

size_t row_floats(const Shape& shape) {
  return size_t(shape.channels) * shape.width * kLanes;
}

// The most whole windows of rows that fit the budget, at least one window.
int rows_within(const Stage& stage, size_t budget) {
  const Shape conv = stage.conv_out();
  const auto windows = static_cast<int>(budget / (row_floats(conv) * stage.pool.rows));
  return std::clamp(windows, 1, stage.out.height) * stage.pool.rows;
}

bool is_relu(const Plan& plan, size_t layer) {
  return layer < plan.layers.size() && std::holds_alternative<ReLU>(plan.layers[layer].layer);
}

// The pooling at `layer`, if its windows lie side by side and can be fused.
const MaxPool2d* plain_pool(const Plan& plan, size_t layer) {
  if (layer >= plan.layers.size()) return nullptr;
  const auto* pool = std::get_if<MaxPool2d>(&plan.layers[layer].layer);
  return pool && pool->kernel == pool->stride ? pool : nullptr;
}

Stage conv_stage(const Plan& plan, size_t& layer) {
  const PlannedLayer& planned = plan.layers[layer++];
  const auto& conv = std::get<Conv2d>(planned.layer);
  Stage stage{Stage::Kind::kConv, planned.in, planned.out};
  stage.conv = {conv.kernel, conv.kernel, conv.stride};
  stage.padding = conv.padding;
  // max and ReLU commute, so that either order of the two is one stage.
  const bool relu_first = is_relu(plan, layer);
  if (const MaxPool2d* pool = plain_pool(plan, layer + relu_first)) {
    stage.pool = {pool->kernel, pool->kernel, pool->stride};
    layer += relu_first;
    stage.out = plan.layers[layer++].out;
    stage.relu = relu_first;
  }
  return stage;
}

Stage next_stage(const Plan& plan, size_t& layer) {
  const PlannedLayer& planned = plan.layers[layer];
  Stage stage{Stage::Kind::kRelu, planned.in, planned.out};
  if (std::holds_alternative<Conv2d>(planned.layer)) {
    stage = conv_stage(plan, layer);
  } else {
    ++layer;
    if (const auto* pool = std::get_if<MaxPool2d>(&planned.layer)) {
      stage.kind = Stage::Kind::kPool;
      stage.pool = {pool->kernel, pool->kernel, pool->stride};
    } else if (std::holds_alternative<Linear>(planned.layer)) {
      stage.kind = Stage::Kind::kLinear;
    }
  }
  if (stage.kind != Stage::Kind::kRelu && !stage.relu && is_relu(plan, layer)) {
    stage.relu = true;
    ++layer;
  }
  if (planned.weight >= 0) {
    stage.weight = plan.parameters[planned.weight].offset;
    stage.bias = plan.parameters[planned.weight + 1].offset;
    stage.weight_count = static_cast<int>(plan.parameters[planned.weight].count);
  }
  return stage;
}

void place_stage(CpuLayout& layout, Stage& stage) {
  const auto out_lanes = static_cast<size_t>(stage.out.count()) * kLanes;
  if (stage.pool.rows > 0) {
    stage.winner = take(layout.pass_winners, out_lanes);
  }
  if (stage.kind == Stage::Kind::kConv) {
    layout.group_blocks = 1;
    const size_t sums = size_t(stage.weight_count) + stage.out.channels;
    stage.dw_lanes = take(layout.pass_floats, sums * kLanes);
    stage.partial = take(layout.block_partials, sums);
    if (stage.pool.rows > 0) {
      stage.forward_rows = rows_within(stage, kForwardScratchFloats);
      stage.backward_rows = rows_within(stage, kBackwardScratchFloats);
    }
  } else if (stage.kind == Stage::Kind::kLinear) {
    const size_t xt_floats = size_t(kLanes) * stage.row_floats();
    if (layout.stages.size() == 1) {
      layout.strip_floats = kStripBlocks * xt_floats;
    } else {
      stage.xt = take(layout.block_floats, xt_floats);
    }
    stage.dy = take(layout.block_floats, out_lanes);
  }
}

void place_slots(CpuLayout& layout) {
  size_t scratch = 0;
  for (const Stage& stage : layout.stages) {
    layout.slots.push_back({stage.in, stage.padding});
    scratch = std::max(
        scratch, row_floats(stage.conv_out()) * std::max(stage.forward_rows, stage.backward_rows));
  }
  layout.slots.push_back({layout.stages.back().out});
  for (Slot& slot : layout.slots) slot.offset = take(layout.pass_floats, slot.floats());
  for (Slot& slot : layout.slots) slot.gradient = take(layout.pass_floats, slot.floats());
  layout.scratch = take(layout.pass_floats, scratch);
}

}  // namespace

Tensor Slot::bordered(float* base) const {
  const int height = shape.height + 2 * border;
  const int width = shape.width + 2 * border;
  return {base,
          shape.channels,
          height,
          width,
          std::ptrdiff_t{width} * kLanes,
          std::ptrdiff_t{height} * width * kLanes};
}

Tensor Slot::inside(float* base) const {
  Tensor tensor = bordered(base);
  tensor.data += border * tensor.row_stride + border * kLanes;
  tensor.height = shape.height;
  tensor.width = shape.width;
  return tensor;
}

CpuLayout make_cpu_layout(const Plan& plan) {
  CpuLayout layout;
  for (size_t layer = 0; layer < plan.layers.size();) {
    layout.stages.push_back(next_stage(plan, layer));
    place_stage(layout, layout.stages.back());
  }
  while (layout.stages[layout.first_trained].weight_count == 0) ++layout.first_trained;
  place_slots(layout);
  return layout;
}

}  // namespace digitron
