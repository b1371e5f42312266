#include "host/cpu/stages/conv.h"

#include <algorithm>

namespace digitron {

namespace {

// The scratch tensor of a pooled convolution should stay in L1 with the rows it is made from.
// Backward, where every call begins by loading all weight sums, it should be no smaller than those,
// but a part of L2.
constexpr size_t kLeastScratchFloats = 24 * 1024 / sizeof(float);
constexpr size_t kMostScratchFloats = 112 * 1024 / sizeof(float);

size_t row_floats(const Shape& shape) {
  return size_t(shape.channels) * shape.width * kLanes;
}

// The most whole windows of rows that fit the budget, at least one window.
int rows_within(const Shape& convolved, const Shape& out, const Window& pool, size_t budget) {
  const auto windows = static_cast<int>(budget / (row_floats(convolved) * pool.rows));
  return std::clamp(windows, 1, out.height) * pool.rows;
}

Tensor rows(Tensor tensor, int first, int count) {
  tensor.data += first * tensor.row_stride;
  tensor.height = count;
  return tensor;
}

}  // namespace

ConvStage::ConvStage(const StageRequest& request, const Conv2d& conv)
    : StageBase(request),
      window_{conv.kernel, conv.kernel, conv.stride},
      pool_(fused_window(request.layers)),
      convolved_(out.shape),
      weight_(request.weight().offset),
      bias_(request.bias().offset),
      weight_count_(static_cast<int>(request.weight().count)) {
  in.border = conv.padding;
  MemorySizes& sizes = request.sizes;
  if (has_pool()) {
    convolved_.height *= pool_.rows;
    convolved_.width *= pool_.rows;
    winners_ = take_winners(request);
    forward_rows_ = rows_within(convolved_, out.shape, pool_, kLeastScratchFloats);
    backward_rows_ = rows_within(
        convolved_, out.shape, pool_,
        std::clamp(size_t(weight_count_) * kLanes, kLeastScratchFloats, kMostScratchFloats));
    sizes.scratch_floats =
        std::max(sizes.scratch_floats,
                 row_floats(convolved_) * size_t(std::max(forward_rows_, backward_rows_)));
  }
  const size_t sums = size_t(weight_count_) + out.shape.channels;
  gradient_lanes_ = MemorySizes::take(sizes.block_floats, sums * kLanes);
  partial_gradients_ = MemorySizes::take(sizes.batch_partials, sums);
}

Tensor ConvStage::scratch(const StagePass& pass, const Block& block, int row_count) const {
  const std::ptrdiff_t row = std::ptrdiff_t{convolved_.width} * kLanes;
  return {block.floats + pass.sizes.scratch,
          convolved_.channels,
          row_count,
          convolved_.width,
          row,
          row * row_count};
}

void ConvStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) forward(pass, block);
}

// A convolution pools in registers where there is a kernel for it. Else it makes a few rows in the
// scratch tensor and pools them while they are in cache.
void ConvStage::forward(const StagePass& pass, const Block& block) const {
  const Tensor x = in.values_with_border(block);
  const Tensor y = out.values(block);
  const float* w = pass.parameters + weight_;
  const float* b = pass.parameters + bias_;
  if (!has_pool()) return pass.kernels.conv_forward(y, x, w, b, window_, 0, relu);
  if (pool_.rows == 2 && window_.stride == 1) {
    return pass.kernels.conv_pool_forward(y, winners_at(block, winners_), x, w, b, window_, relu);
  }
  for (int first = 0; first < convolved_.height; first += forward_rows_) {
    const Tensor made = scratch(pass, block, std::min(forward_rows_, convolved_.height - first));
    const int first_pooled = first / pool_.rows;
    pass.kernels.conv_forward(made, x, w, nullptr, window_, first, false);
    pass.kernels.maxpool_forward(rows(y, first_pooled, made.height / pool_.rows),
                                 winners_at(block, winners_, first_pooled), made, b, pool_, relu);
  }
}

void ConvStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) backward(pass, block);
}

void ConvStage::backward(const StagePass& pass, const Block& block) const {
  const CpuKernels& kernels = pass.kernels;
  float* dw = block.floats + gradient_lanes_;
  float* db = dw + std::ptrdiff_t{weight_count_} * kLanes;
  const Tensor y = out.values(block);
  const Tensor dy = out.gradient(block);
  if (relu && has_pool()) {
    kernels.sum_positive_positions(db, dy, y);  // elsewhere the winners say what ReLU cut off
  } else {
    if (relu && !relu_backward_in_next_stage) kernels.relu_backward(dy, dy, y, 1.0f);
    kernels.sum_positions(db, dy);
  }
  const Tensor x = in.values_with_border(block);
  const Tensor dx = input_gradient ? in.zeroed_gradient(block) : Tensor{};
  const int step = has_pool() ? backward_rows_ : convolved_.height;
  for (int first = 0; first < convolved_.height; first += step) {
    Tensor part = dy;
    if (has_pool()) {
      part = scratch(pass, block, std::min(step, convolved_.height - first));
      const int first_pooled = first / pool_.rows;
      kernels.maxpool_backward(part, rows(dy, first_pooled, part.height / pool_.rows),
                               winners_at(block, winners_, first_pooled), pool_);
    }
    kernels.conv_backward_weights(dw, part, x, window_, first, first > 0);
    if (input_gradient) {
      kernels.conv_backward_input(dx, part, pass.parameters + weight_, window_, first);
    }
  }
  kernels.sum_lanes(block.batch->partials(partial_gradients_, block.index), dw,
                    weight_count_ + out.shape.channels);
}

void ConvStage::gradients(const GradientPass& pass) const {
  sum_and_update(pass, partial_gradients_, weight_, weight_count_);
  sum_and_update(pass, partial_gradients_ + size_t(weight_count_), bias_, out.shape.channels);
}

}  // namespace digitron
