#include "host/cpu/block.h"

#include <algorithm>

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

void BlockPass::forward_stage(const Stage& stage, const Slot& in, const Slot& out) {
  const Tensor x = in.inside(values(in));
  const Tensor y = out.inside(values(out));
  if (stage.kind == Stage::Kind::kPool) {
    kernels_.maxpool_forward(y, winners(stage, 0), x, nullptr, stage.pool, stage.relu);
  } else if (stage.kind == Stage::Kind::kRelu) {
    kernels_.relu_forward(y, x);
  } else {
    forward_conv(stage, in, out);
  }
}

void BlockPass::forward_linear(size_t s, int blocks, BatchMemory* batch, int first_block) {
  const Stage& stage = layout_.stages[s];
  select(0);
  kernels_.linear_forward(values(layout_.slots[s + 1]), values(layout_.slots[s]),
                          static_cast<std::ptrdiff_t>(layout_.pass_floats), blocks,
                          parameters_ + stage.weight, parameters_ + stage.bias, stage.in.count(),
                          stage.out.count(), stage.relu);
  if (!batch || s == 0) return;  // the first stage's inputs are the images: nothing to keep
  for (int k = 0; k < blocks; ++k) {
    select(k);
    kernels_.transpose(batch->xt(stage, first_block + k), stage.row_floats(),
                       values(layout_.slots[s]), stage.in.count());
  }
}

void BlockPass::forward(std::span<const BlockSamples> samples, BatchMemory* batch,
                        int first_block) {
  const int blocks = static_cast<int>(samples.size());
  const Slot& input = layout_.slots.front();
  for (int k = 0; k < blocks; ++k) {
    select(k);
    kernels_.gather(input.inside(values(input)), samples[k].images, samples[k].count);
  }
  for (size_t s = 0; s < layout_.stages.size(); ++s) {
    if (layout_.stages[s].kind == Stage::Kind::kLinear) {
      forward_linear(s, blocks, batch, first_block);
      continue;
    }
    for (int k = 0; k < blocks; ++k) {
      select(k);
      forward_stage(layout_.stages[s], layout_.slots[s], layout_.slots[s + 1]);
    }
  }
}

void BlockPass::loss(BlockLosses& losses, const BlockSamples& samples, int k) {
  kernels_.softmax_cross_entropy(nullptr, losses.loss, losses.correct, logits(k), samples.labels,
                                 kClasses, samples.count, 0.0f, 0.0f);
}

// Where the gradient of a slot lies: of a linear stage's output in the batch's memory, else the
// thread's.
Tensor BlockPass::gradient(size_t slot, BatchMemory& batch, int b) const {
  if (slot > 0 && layout_.stages[slot - 1].kind == Stage::Kind::kLinear) {
    const Stage& stage = layout_.stages[slot - 1];
    return flat(batch.dy(stage, b), stage.out.count());
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
                              bool to_input, float* partial) {
  float* dw = floats_ + stage.dw_lanes;
  float* db = dw + std::ptrdiff_t{stage.weight_count} * kLanes;
  const Tensor y = out.inside(values(out));
  if (stage.relu && stage.pool.rows > 0) {
    kernels_.sum_positive_positions(db, dy, y);  // elsewhere the winners say what ReLU cut off
  } else {
    if (stage.relu) kernels_.relu_backward(dy, dy, y);
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
  kernels_.sum_lanes(partial, dw, stage.weight_count + stage.out.channels);
}

// The gradient of slot s + 1 -> that of slot s, and what the weight gradients need.
void BlockPass::backward(const Stage& stage, size_t s, BatchMemory& batch, int b) {
  const Slot& in = layout_.slots[s];
  const Slot& out = layout_.slots[s + 1];
  const Tensor dy = gradient(s + 1, batch, b);
  const bool to_input = static_cast<int>(s) > layout_.first_trained;
  switch (stage.kind) {
    case Stage::Kind::kConv:
      backward_conv(stage, in, out, dy, to_input,
                    batch.partials.get() + layout_.block_partials * b + stage.partial);
      break;
    case Stage::Kind::kPool:
      clear_gradient(in);
      kernels_.maxpool_backward_add(gradient(s, batch, b), dy, winners(stage, 0), stage.pool);
      break;
    case Stage::Kind::kRelu:
      kernels_.relu_backward(gradient(s, batch, b), dy, out.inside(values(out)));
      break;
    case Stage::Kind::kLinear:
      break;  // backward_linear's, for all blocks at once
  }
}

void BlockPass::backward_linear(size_t s, int blocks, BatchMemory& batch, int first_block) {
  const Stage& stage = layout_.stages[s];
  const auto stride_of = [&](size_t slot) {
    select(blocks - 1);
    const float* last = gradient(slot, batch, first_block + blocks - 1).data;
    select(0);
    return blocks == 1 ? 0 : last - gradient(slot, batch, first_block).data;
  };
  if (stage.relu) {
    for (int k = 0; k < blocks; ++k) {
      select(k);
      const Tensor dy = gradient(s + 1, batch, first_block + k);
      kernels_.relu_backward(dy, dy, flat(values(layout_.slots[s + 1]), stage.out.count()));
    }
  }
  if (static_cast<int>(s) == layout_.first_trained) return;
  const std::ptrdiff_t dx_stride = stride_of(s);
  const std::ptrdiff_t dy_stride = stride_of(s + 1);
  kernels_.linear_backward_input(gradient(s, batch, first_block).data, dx_stride,
                                 gradient(s + 1, batch, first_block).data, dy_stride, blocks,
                                 parameters_ + stage.weight, stage.in.count(), stage.out.count());
}

void BlockPass::train(std::span<BlockLosses> losses, std::span<const BlockSamples> samples,
                      BatchMemory& batch, int first_block, int batch_count, float smoothing) {
  forward(samples, &batch, first_block);
  const int blocks = static_cast<int>(samples.size());
  for (int k = 0; k < blocks; ++k) {
    const float* z = logits(k);
    kernels_.softmax_cross_entropy(gradient(layout_.stages.size(), batch, first_block + k).data,
                                   losses[k].loss, losses[k].correct, z, samples[k].labels,
                                   kClasses, samples[k].count,
                                   1.0f / static_cast<float>(batch_count), smoothing);
  }
  for (size_t s = layout_.stages.size(); s-- > static_cast<size_t>(layout_.first_trained);) {
    if (layout_.stages[s].kind == Stage::Kind::kLinear) {
      backward_linear(s, blocks, batch, first_block);
      continue;
    }
    for (int k = 0; k < blocks; ++k) {
      select(k);
      backward(layout_.stages[s], s, batch, first_block + k);
    }
  }
}

}  // namespace digitron
