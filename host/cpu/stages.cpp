#include "host/cpu/stages.h"

#include <algorithm>

#include "host/core/fusion.h"

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

Window window_of(const MaxPool2d& pool) {
  return {pool.kernel, pool.kernel, pool.stride};
}

// The stage of a kind of layer, without what all kinds have.
struct StageMaker {
  const FusedLayers& fused;
  Stage stage;

  Stage operator()(const Conv2d& conv) {
    stage.kind = Stage::Kind::kConv;
    stage.conv = {conv.kernel, conv.kernel, conv.stride};
    stage.padding = conv.padding;
    return stage;
  }
  Stage operator()(const MaxPool2d& pool) {
    stage.kind = Stage::Kind::kPool;
    stage.pool = window_of(pool);
    return stage;
  }
  Stage operator()(const Linear&) {
    stage.kind = Stage::Kind::kLinear;
    if (fused.dropout) {
      stage.dropout = std::get<Dropout>(fused.dropout->layer).probability;
      stage.dropout_layer = fused.dropout_index;
    }
    return stage;
  }
  Stage operator()(const ReLU&) {
    stage.kind = Stage::Kind::kRelu;
    return stage;
  }
  Stage operator()(const BatchNorm2d&) {
    stage.kind = Stage::Kind::kBatchNorm;
    return stage;
  }
  Stage operator()(const Dropout& dropout) {
    stage.kind = Stage::Kind::kDropout;
    stage.dropout = dropout.probability;
    stage.dropout_layer = fused.index;
    return stage;
  }
};

Stage make_stage(const Plan& plan, const FusedLayers& fused) {
  const PlannedLayer& layer = *fused.layer;
  Stage stage = std::visit(
      [&](const auto& kind) {
        return StageMaker{fused, {{}, layer.in, fused.out}}(kind);
      },
      layer.layer);
  stage.relu = fused.relu;
  if (fused.pool) stage.pool = window_of(std::get<MaxPool2d>(fused.pool->layer));
  if (layer.parameters) {
    const Parameter& weight = plan.parameters[layer.parameters->weight];
    stage.weight = weight.offset;
    stage.weight_count = static_cast<int>(weight.count);
    stage.bias = plan.parameters[layer.parameters->bias].offset;
  }
  if (layer.statistics) {
    stage.running = plan.buffers[layer.statistics->mean].offset;
    stage.running_variance = plan.buffers[layer.statistics->variance].offset;
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
  } else if (stage.kind == Stage::Kind::kBatchNorm) {
    const auto channels = static_cast<size_t>(stage.in.channels);
    stage.dw_lanes = take(layout.pass_floats, 2 * channels * kLanes);
    stage.partial = take(layout.block_partials, 2 * channels);
    stage.moments = layout.block_moments;
    layout.block_moments += channels;
    stage.constants = take(layout.constants_floats, BatchNormConstants::kArrays * channels);
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

// Where the batch normalisations stand, and the ReLUs before them that they take along backward.
void divide(CpuLayout& layout) {
  for (size_t s = 0; s < layout.stages.size(); ++s) {
    if (layout.stages[s].kind != Stage::Kind::kBatchNorm) continue;
    layout.segments.push_back(static_cast<int>(s));
    if (s == 0) continue;
    Stage& before = layout.stages[s - 1];
    const bool ends_with_relu = before.kind == Stage::Kind::kConv && before.relu;
    before.relu_behind = layout.stages[s].rectified = ends_with_relu && before.pool.rows == 0;
  }
  layout.segments.push_back(static_cast<int>(layout.stages.size()));
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
  for (const FusedLayers& fused : fuse(plan, {.relu = true, .pooling = true, .dropout = true})) {
    layout.stages.push_back(make_stage(plan, fused));
    place_stage(layout, layout.stages.back());
  }
  while (layout.stages[layout.first_trained].weight_count == 0) ++layout.first_trained;
  divide(layout);
  place_slots(layout);
  return layout;
}

}  // namespace digitron
