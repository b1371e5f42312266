#include "host/cpu_block.h"

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
  return {memory_.floats.get() + layout_.scratch,
          conv.channels,
          row_count,
          conv.width,
          row,
          row * row_count};
}

// A pooled convolution makes a few rows in the scratch tensor and pools them while they are in
// cache.
void BlockPass::forward_conv(const Stage& stage, const Slot& in, const Slot& out) {
  const Tensor x = in.bordered(values(in));
  const Tensor y = out.inside(values(out));
  const float* w = parameters_ + stage.weight;
  const float* b = parameters_ + stage.bias;
  if (stage.pool.size == 0) {
    kernels_.conv_forward(y, x, w, b, stage.conv, 0, stage.relu);
    return;
  }
  const int height = stage.conv_out().height;
  for (int first = 0; first < height; first += stage.forward_rows) {
    const Tensor made = scratch(stage, std::min(stage.forward_rows, height - first));
    kernels_.conv_forward(made, x, w, b, stage.conv, first, false);
    const Tensor pooled = rows(y, first / stage.pool.size, made.height / stage.pool.size);
    kernels_.maxpool_forward(pooled, winners(stage, first / stage.pool.size), made, stage.pool,
                             stage.relu);
  }
}

void BlockPass::forward(const BlockSamples& samples, BatchMemory* batch, int b) {
  const Slot& input = layout_.slots.front();
  kernels_.gather(input.inside(values(input)), samples.images, samples.count);
  for (size_t s = 0; s < layout_.stages.size(); ++s) {
    const Stage& stage = layout_.stages[s];
    const Slot& in = layout_.slots[s];
    const Slot& out = layout_.slots[s + 1];
    const Tensor x = in.inside(values(in));
    const Tensor y = out.inside(values(out));
    switch (stage.kind) {
      case Stage::Kind::kConv:
        forward_conv(stage, in, out);
        break;
      case Stage::Kind::kPool:
        kernels_.maxpool_forward(y, winners(stage, 0), x, stage.pool, stage.relu);
        break;
      case Stage::Kind::kLinear:
        kernels_.linear_forward(y.data, x.data, parameters_ + stage.weight,
                                parameters_ + stage.bias, stage.in.count(), stage.out.count(),
                                stage.relu);
        // The first stage's inputs are the images: nothing to keep.
        if (batch && s > 0) {
          kernels_.transpose(batch->xt(stage, b), stage.row_floats(), x.data, stage.in.count());
        }
        break;
      case Stage::Kind::kRelu:
        kernels_.relu_forward(y, x);
        break;
    }
  }
}

void BlockPass::loss(BlockLosses& losses, const BlockSamples& samples) const {
  kernels_.softmax_cross_entropy(nullptr, losses.loss, losses.correct, logits(), samples.labels,
                                 kClasses, samples.count, 0.0f);
}

// Where the gradient of a slot lies: of a linear stage's output in the batch's memory, else the
// thread's.
Tensor BlockPass::gradient(size_t slot, BatchMemory& batch, int b) const {
  if (slot > 0 && layout_.stages[slot - 1].kind == Stage::Kind::kLinear) {
    const Stage& stage = layout_.stages[slot - 1];
    return flat(batch.dy(stage, b), stage.out.count());
  }
  const Slot& at = layout_.slots[slot];
  return at.inside(memory_.floats.get() + at.gradient);
}

// The gradient of a slot with its border, zeroed, for kernels that add to it.
Tensor BlockPass::clear_gradient(const Slot& slot) const {
  float* base = memory_.floats.get() + slot.gradient;
  std::fill_n(base, slot.floats(), 0.0f);
  return slot.bordered(base);
}

void BlockPass::backward_conv(const Stage& stage, const Slot& in, const Slot& out, Tensor dy,
                              bool to_input, float* partial) {
  float* dw = memory_.floats.get() + stage.dw_lanes;
  float* db = dw + std::ptrdiff_t{stage.weight_count} * kLanes;
  const int sums = stage.weight_count + stage.out.channels;
  const Tensor y = out.inside(values(out));
  if (stage.relu && stage.pool.size > 0) {
    kernels_.sum_positive_positions(db, dy,
                                    y);  // elsewhere the winners already say what ReLU cut off
  } else {
    if (stage.relu) kernels_.relu_backward(dy, dy, y);
    kernels_.sum_positions(db, dy);
  }
  const Tensor x = in.bordered(values(in));
  const Tensor dx = to_input ? clear_gradient(in) : Tensor{};
  const int height = stage.conv_out().height;
  const int step = stage.pool.size > 0 ? stage.backward_rows : height;
  for (int first = 0; first < height; first += step) {
    Tensor part = dy;
    if (stage.pool.size > 0) {
      part = scratch(stage, std::min(step, height - first));
      const Tensor pooled = rows(dy, first / stage.pool.size, part.height / stage.pool.size);
      kernels_.maxpool_backward(part, pooled, winners(stage, first / stage.pool.size), stage.pool);
    }
    kernels_.conv_backward_weights(dw, part, x, stage.conv, first, first > 0);
    if (to_input) {
      kernels_.conv_backward_input(dx, part, parameters_ + stage.weight, stage.conv, first);
    }
  }
  kernels_.sum_lanes(partial, dw, sums);
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
    case Stage::Kind::kLinear:
      if (stage.relu) {
        kernels_.relu_backward(dy, dy, flat(values(out), stage.out.count()));
      }
      if (to_input) {
        kernels_.linear_backward_input(gradient(s, batch, b).data, dy.data,
                                       parameters_ + stage.weight, stage.in.count(),
                                       stage.out.count());
      }
      break;
    case Stage::Kind::kRelu:
      kernels_.relu_backward(gradient(s, batch, b), dy, out.inside(values(out)));
      break;
  }
}

void BlockPass::train(BlockLosses& losses, const BlockSamples& samples, BatchMemory& batch, int b,
                      int batch_count) {
  forward(samples, &batch, b);
  kernels_.softmax_cross_entropy(gradient(layout_.stages.size(), batch, b).data, losses.loss,
                                 losses.correct, logits(), samples.labels, kClasses, samples.count,
                                 1.0f / static_cast<float>(batch_count));
  for (size_t s = layout_.stages.size(); s-- > static_cast<size_t>(layout_.first_trained);) {
    backward(layout_.stages[s], s, batch, b);
  }
}

}  // namespace digitron
