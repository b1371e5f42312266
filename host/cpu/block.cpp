#include "host/cpu/block.h"

#include <algorithm>

#include "host/shared/philox.h"

namespace digitron {

namespace {

// Rows [first, first + count) of a tensor.
Tensor rows(Tensor tensor, int first, int count) {
  tensor.data += first * tensor.row_stride;
  tensor.height = count;
  return tensor;
}

// A contiguous tensor as one long row, for what does not care about its shape.
Tensor flat(float* data, int count) {
  return {data, 1, 1, count, std::ptrdiff_t{count} * kLanes, std::ptrdiff_t{count} * kLanes};
}

}  // namespace

Tensor BlockPass::scratch(const Stage& stage, int row_count) const {
  const Shape conv = stage.conv_out();
  const std::ptrdiff_t row = std::ptrdiff_t{conv.width} * kLanes;
  return {floats_ + layout_.scratch, conv.channels, row_count, conv.width, row, row * row_count};
}

// A pooled convolution makes a few rows in the scratch tensor and pools them while they are in
// cache.
void BlockPass::forward_conv(const Stage& stage, const Slot& in, const Slot& out) {
  const Tensor x = in.bordered(values(in));
  const Tensor y = out.inside(values(out));
  const float* w = parameters_ + stage.weight;
  const float* b = parameters_ + stage.bias;
  if (stage.pool.rows == 0) {
    kernels_.conv_forward(y, x, w, b, stage.conv, 0, stage.relu);
    return;
  }
  const int height = stage.conv_out().height;
  for (int first = 0; first < height; first += stage.forward_rows) {
    const Tensor made = scratch(stage, std::min(stage.forward_rows, height - first));
    kernels_.conv_forward(made, x, w, nullptr, stage.conv, first, false);
    const Tensor pooled = rows(y, first / stage.pool.rows, made.height / stage.pool.rows);
    kernels_.maxpool_forward(pooled, winners(stage, first / stage.pool.rows), made, b, stage.pool,
                             stage.relu);
  }
}

void BlockPass::forward_batchnorm(const Stage& stage, const Slot& in, const Slot& out) {
  const BatchNormConstants constants = memory_.constants_of(stage);
  const Affine affine{constants.center, constants.scale, constants.shift};
  const Tensor x = in.inside(values(in));
  const Tensor y = out.inside(values(out));
  if (stage.pool.rows > 0) {
    kernels_.batchnorm_pool_forward(y, winners(stage, 0), x, affine, stage.pool, stage.relu);
  } else {
    kernels_.batchnorm_forward(y, x, affine, stage.relu);
  }
}

// y = x in evaluation, and what dropout makes of it in training; y may be x.
void BlockPass::drop(const Stage& stage, Tensor y, Tensor x) {
  if (step_) {
    const DropoutLayer layer{step_->seed,
                             step_->global_step,
                             static_cast<uint32_t>(stage.dropout_layer),
                             static_cast<uint32_t>(Purpose::kDropout),
                             stage.dropout,
                             1.0f / (1.0f - stage.dropout)};
    return kernels_.dropout(y, x, layer, block_ * kLanes);
  }
  for (int c = 0; c < y.channels; ++c)
    for (int p = 0; p < y.height; ++p) std::copy_n(x.row(c, p), y.width * kLanes, y.row(c, p));
}

void BlockPass::forward_stage(const Stage& stage, const Slot& in, const Slot& out) {
  const Tensor x = in.inside(values(in));
  const Tensor y = out.inside(values(out));
  switch (stage.kind) {
    case Stage::Kind::kConv:
      return forward_conv(stage, in, out);
    case Stage::Kind::kPool:
      return kernels_.maxpool_forward(y, winners(stage, 0), x, nullptr, stage.pool, stage.relu);
    case Stage::Kind::kRelu:
      return kernels_.relu_forward(y, x);
    case Stage::Kind::kBatchNorm:
      return forward_batchnorm(stage, in, out);
    case Stage::Kind::kDropout:
      return drop(stage, y, x);
    case Stage::Kind::kLinear:
      return;  // forward_linear's, for all blocks at once
  }
}

void BlockPass::forward_linear(size_t s) {
  const Stage& stage = layout_.stages[s];
  const Slot& out = layout_.slots[s + 1];
  select(0);
  kernels_.linear_forward(values(out), values(layout_.slots[s]),
                          static_cast<std::ptrdiff_t>(layout_.pass_floats), blocks(),
                          parameters_ + stage.weight, parameters_ + stage.bias, stage.in.count(),
                          stage.out.count(), stage.relu);
  if (!step_) return;
  for (int k = 0; k < blocks(); ++k) {
    select(k);
    if (stage.dropout_layer >= 0) drop(stage, out.inside(values(out)), out.inside(values(out)));
    if (s == 0) continue;  // the first stage's inputs are the images: nothing to keep
    kernels_.transpose(step_->batch.xt(stage, block_), stage.row_floats(), values(layout_.slots[s]),
                       stage.in.count());
  }
}

void BlockPass::gather() {
  const Slot& input = layout_.slots.front();
  for (int k = 0; k < blocks(); ++k) {
    select(k);
    kernels_.gather(input.inside(values(input)), samples_[static_cast<size_t>(k)].images, count_);
  }
}

void BlockPass::forward_stages(int first, int last) {
  for (auto s = static_cast<size_t>(first); s < static_cast<size_t>(last); ++s) {
    if (layout_.stages[s].kind == Stage::Kind::kLinear) {
      forward_linear(s);
      continue;
    }
    for (int k = 0; k < blocks(); ++k) {
      select(k);
      forward_stage(layout_.stages[s], layout_.slots[s], layout_.slots[s + 1]);
    }
  }
}

void BlockPass::forward() {
  gather();
  forward_stages(0, static_cast<int>(layout_.stages.size()));
}

void BlockPass::forward(int segment) {
  const auto at = static_cast<size_t>(segment);
  if (segment == 0) gather();
  forward_stages(layout_.segments[at], layout_.segments[at + 1]);
  if (segment + 1 == layout_.segment_count()) return;
  const auto next = static_cast<size_t>(layout_.segments[at + 1]);
  const Slot& x = layout_.slots[next];
  for (int k = 0; k < blocks(); ++k) {
    select(k);
    kernels_.channel_moments(step_->batch.moments_of(layout_.stages[next], layout_, block_),
                             x.inside(values(x)), count_);
  }
}

void BlockPass::loss(BlockLosses& losses, int k) {
  const float* z = logits(k);
  kernels_.softmax_cross_entropy(nullptr, losses.loss, losses.correct, z,
                                 samples_[static_cast<size_t>(k)].labels, kClasses, count_, 0.0f,
                                 0.0f);
}

void BlockPass::turn(std::span<BlockLosses> losses) {
  for (int k = 0; k < blocks(); ++k) {
    const float* z = logits(k);
    BlockLosses& mine = losses[static_cast<size_t>(k)];
    kernels_.softmax_cross_entropy(gradient(layout_.stages.size()).data, mine.loss, mine.correct, z,
                                   samples_[static_cast<size_t>(k)].labels, kClasses, count_,
                                   1.0f / static_cast<float>(step_->count), step_->smoothing);
  }
}

// Where the gradient of a slot lies: of a linear stage's output in the batch's memory, else the
// block's.
Tensor BlockPass::gradient(size_t slot) const {
  if (slot > 0 && layout_.stages[slot - 1].kind == Stage::Kind::kLinear) {
    const Stage& stage = layout_.stages[slot - 1];
    return flat(step_->batch.dy(stage, block_), stage.out.count());
  }
  const Slot& at = layout_.slots[slot];
  return at.inside(floats_ + at.gradient);
}

// The gradient of a slot with its border, zeroed, for kernels that add to it.
Tensor BlockPass::clear_gradient(const Slot& slot) const {
  float* base = floats_ + slot.gradient;
  std::fill_n(base, slot.floats(), 0.0f);
  return slot.bordered(base);
}

void BlockPass::backward_conv(const Stage& stage, const Slot& in, const Slot& out, Tensor dy,
                              bool to_input) {
  float* dw = floats_ + stage.dw_lanes;
  float* db = dw + std::ptrdiff_t{stage.weight_count} * kLanes;
  const Tensor y = out.inside(values(out));
  if (stage.relu && stage.pool.rows > 0) {
    kernels_.sum_positive_positions(db, dy, y);  // elsewhere the winners say what ReLU cut off
  } else {
    if (stage.relu && !stage.relu_behind) kernels_.relu_backward(dy, dy, y, 1.0f);
    kernels_.sum_positions(db, dy);
  }
  const Tensor x = in.bordered(values(in));
  const Tensor dx = to_input ? clear_gradient(in) : Tensor{};
  const int height = stage.conv_out().height;
  const int step = stage.pool.rows > 0 ? stage.backward_rows : height;
  for (int first = 0; first < height; first += step) {
    Tensor part = dy;
    if (stage.pool.rows > 0) {
      part = scratch(stage, std::min(step, height - first));
      const int pooled = first / stage.pool.rows;
      kernels_.maxpool_backward(part, rows(dy, pooled, part.height / stage.pool.rows),
                                winners(stage, pooled), stage.pool);
    }
    kernels_.conv_backward_weights(dw, part, x, stage.conv, first, first > 0);
    if (to_input) {
      kernels_.conv_backward_input(dx, part, parameters_ + stage.weight, stage.conv, first);
    }
  }
  kernels_.sum_lanes(partial(stage), dw, stage.weight_count + stage.out.channels);
}

// The sums over dy that the parameters' gradients are, and that the input's gradient needs over the
// whole batch.
void BlockPass::batchnorm_sums(size_t s) {
  const Stage& stage = layout_.stages[s];
  const Slot& in = layout_.slots[s];
  const Slot& out = layout_.slots[s + 1];
  const BatchNormConstants constants = memory_.constants_of(stage);
  float* lanes = floats_ + stage.dw_lanes;
  const Tensor dy = gradient(s + 1);
  const Tensor x = in.inside(values(in));
  if (stage.pool.rows > 0) {
    kernels_.batchnorm_pool_sums(lanes, dy, winners(stage, 0), x, constants.center, stage.pool);
  } else {
    if (stage.relu) kernels_.relu_backward(dy, dy, out.inside(values(out)), 1.0f);
    kernels_.batchnorm_sums(lanes, dy, x, constants.center);
  }
  float* sums = partial(stage);
  kernels_.sum_lanes(sums, lanes, 2 * stage.in.channels);
  for (int c = 0; c < stage.in.channels; ++c) sums[c] *= constants.inverse[c];
}

// The gradient of slot s + 1 -> that of slot s, once the batch's sums are known.
void BlockPass::backward_batchnorm(size_t s) {
  const Stage& stage = layout_.stages[s];
  const Slot& in = layout_.slots[s];
  const BatchNormConstants constants = memory_.constants_of(stage);
  const AffineGradient affine{constants.center, constants.scale, constants.slope, constants.offset};
  const Tensor x = in.inside(values(in));
  if (stage.pool.rows > 0) {
    kernels_.batchnorm_pool_backward(gradient(s), gradient(s + 1), winners(stage, 0), x, affine,
                                     stage.pool, count_, stage.rectified);
  } else {
    kernels_.batchnorm_backward(gradient(s), gradient(s + 1), x, affine, count_, stage.rectified);
  }
}

// The gradient of slot s + 1 -> that of slot s, and what the weight gradients need.
void BlockPass::backward(const Stage& stage, size_t s) {
  const Slot& in = layout_.slots[s];
  const Slot& out = layout_.slots[s + 1];
  const Tensor dy = gradient(s + 1);
  switch (stage.kind) {
    case Stage::Kind::kConv:
      return backward_conv(stage, in, out, dy, static_cast<int>(s) > layout_.first_trained);
    case Stage::Kind::kPool:
      clear_gradient(in);
      return kernels_.maxpool_backward_add(gradient(s), dy, winners(stage, 0), stage.pool);
    case Stage::Kind::kRelu:
      return kernels_.relu_backward(gradient(s), dy, out.inside(values(out)), 1.0f);
    case Stage::Kind::kBatchNorm:
      return batchnorm_sums(s);  // and the rest when all blocks have come so far
    case Stage::Kind::kDropout:
      return drop(stage, gradient(s), dy);
    case Stage::Kind::kLinear:
      return;  // backward_linear's, for all blocks at once
  }
}

void BlockPass::backward_linear(size_t s) {
  const Stage& stage = layout_.stages[s];
  const auto stride_of = [&](size_t slot) {
    select(blocks() - 1);
    const float* last = gradient(slot).data;
    select(0);
    return blocks() == 1 ? 0 : last - gradient(slot).data;
  };
  if (stage.relu) {
    const float scale = 1.0f / (1.0f - stage.dropout);
    for (int k = 0; k < blocks(); ++k) {
      select(k);
      const Tensor dy = gradient(s + 1);
      kernels_.relu_backward(dy, dy, flat(values(layout_.slots[s + 1]), stage.out.count()), scale);
    }
  }
  if (static_cast<int>(s) == layout_.first_trained) return;
  const std::ptrdiff_t dx_stride = stride_of(s);
  const std::ptrdiff_t dy_stride = stride_of(s + 1);
  kernels_.linear_backward_input(gradient(s).data, dx_stride, gradient(s + 1).data, dy_stride,
                                 blocks(), parameters_ + stage.weight, stage.in.count(),
                                 stage.out.count());
}

void BlockPass::backward(int segment) {
  const int begin = layout_.segments[static_cast<size_t>(segment)];
  const int end = layout_.segments[static_cast<size_t>(segment) + 1];
  if (segment + 1 < layout_.segment_count()) {
    for (int k = 0; k < blocks(); ++k) {
      select(k);
      backward_batchnorm(static_cast<size_t>(end));
    }
  }
  const int last = std::max(begin, layout_.first_trained);
  for (auto s = static_cast<size_t>(end); s-- > static_cast<size_t>(last);) {
    if (layout_.stages[s].kind == Stage::Kind::kLinear) {
      backward_linear(s);
      continue;
    }
    for (int k = 0; k < blocks(); ++k) {
      select(k);
      backward(layout_.stages[s], s);
    }
  }
}

}  // namespace digitron
