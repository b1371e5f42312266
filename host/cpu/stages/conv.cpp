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
  }
  const Shape bordered{in.shape.channels, in.shape.height + 2 * in.border,
                       in.shape.width + 2 * in.border};
  const WinogradRequest by_winograd{conv, bordered, convolved_, pool_, weight_};
  if (Winograd::serves(by_winograd)) {
    winograd_.emplace(by_winograd, sizes);
  } else if (!input_gradient && by_winograd.possible()) {
    winograd_rows_.emplace(by_winograd, sizes);
  } else {
    take_places(sizes);
  }
  bias_lanes_ = MemorySizes::take(sizes.passing_floats, size_t(out.shape.channels) * kLanes);
  partial_biases_ = MemorySizes::take(sizes.batch_partials, size_t(out.shape.channels));
}

// For the way back by the definition, and for pooling that is not done in registers.
void ConvStage::take_places(MemorySizes& sizes) {
  weight_lanes_ = MemorySizes::take(sizes.passing_floats, size_t(weight_count_) * kLanes);
  partial_weights_ = MemorySizes::take(sizes.batch_partials, size_t(weight_count_));
  if (!has_pool()) return;
  forward_rows_ = rows_within(convolved_, out.shape, pool_, kLeastScratchFloats);
  backward_rows_ = rows_within(
      convolved_, out.shape, pool_,
      std::clamp(size_t(weight_count_) * kLanes, kLeastScratchFloats, kMostScratchFloats));
  sizes.scratch_floats =
      std::max(sizes.scratch_floats,
               row_floats(convolved_) * size_t(std::max(forward_rows_, backward_rows_)));
}

Winners ConvStage::winners(const StagePass& pass, const Block& block) const {
  return has_pool() ? winners_at(block, pass.part, winners_) : Winners{};
}

void ConvStage::prepare(const StagePass& pass) const {
  if (winograd_) {
    winograd_->prepare(pass);
  } else if (winograd_rows_) {
    winograd_rows_->prepare(pass);
  } else {
    return;
  }
  pass.mark_work();
}

// Channels keep their places when the last rows are fewer, where the crew's other threads may
// still be at the rows before.
Tensor ConvStage::scratch(const StagePass& pass, const Block& block, int row_count,
                          int most_rows) const {
  const std::ptrdiff_t row = std::ptrdiff_t{convolved_.width} * kLanes;
  return {block.passing + pass.sizes.scratch,
          convolved_.channels,
          row_count,
          convolved_.width,
          row,
          row * most_rows};
}

void ConvStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) forward(pass, block);
}

// A convolution pools in registers where there is a kernel for it. Else it makes a few rows in the
// scratch tensor and pools them while they are in cache.
void ConvStage::forward(const StagePass& pass, const Block& block) const {
  const Range mine = out.share(pass.part);
  const Tensor x = in.values_with_border(block);
  const Tensor y = out.values(block, pass.part);
  const Winners winners = this->winners(pass, block);
  const Winners wanted = pass.step ? winners : Winners{};  // not in evaluation
  const float* w = pass.parameters + weight_ + mine.first * weights_of_output();
  const float* b = pass.parameters + bias_ + mine.first;
  if (winograd_) {
    winograd_->transform(pass, block, x);
    return winograd_->forward(pass, block, y, wanted, b, relu);
  }
  if (winograd_rows_) return winograd_rows_->forward(pass, x, y, wanted, b, relu);
  if (!has_pool()) return pass.kernels.conv_forward(y, x, w, b, window_, 0, relu);
  if (pool_.rows == 2 && window_.stride == 1) {
    return pass.kernels.conv_pool_forward(y, winners, x, w, b, window_, relu);
  }
  for (int first = 0; first < convolved_.height; first += forward_rows_) {
    const int row_count = std::min(forward_rows_, convolved_.height - first);
    const Tensor made = channels_of(scratch(pass, block, row_count, forward_rows_), mine);
    const int first_pooled = first / pool_.rows;
    pass.kernels.conv_forward(made, x, w, nullptr, window_, first, false);
    pass.kernels.maxpool_forward(rows_of(y, first_pooled, made.height / pool_.rows),
                                 winners_at(block, pass.part, winners_, first_pooled), made, b,
                                 pool_, relu);
  }
}

void ConvStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) backward(pass, block);
}

// Weights' and biases' gradients go by output channel, and that of the input by input channel,
// from all outputs' gradients, for which the crew meets.
void ConvStage::backward(const StagePass& pass, const Block& block) const {
  const CpuKernels& kernels = pass.kernels;
  const int first_channel = out.share(pass.part).first;
  float* db = block.passing + bias_lanes_ + std::ptrdiff_t{first_channel} * kLanes;
  const Tensor y = out.values(block, pass.part);
  const Tensor dy = out.gradient(block, pass.part);
  if (relu && has_pool()) {
    kernels.sum_positive_positions(db, dy, y);  // elsewhere the winners say what ReLU cut off
  } else {
    if (relu && !relu_backward_in_next_stage) kernels.relu_backward(dy, dy, y, 1.0f);
    kernels.sum_positions(db, dy);
  }
  kernels.sum_lanes(block.batch->partials(partial_biases_, block.index) + first_channel, db,
                    dy.channels);
  const Tensor dx = input_gradient ? in.zeroed_gradient(block, pass.part) : Tensor{};
  if (winograd_) {
    backward_by_winograd(pass, block, dy, dx);
  } else if (winograd_rows_) {
    winograd_rows_->weight_gradients(pass, block, in.values_with_border(block), dy,
                                     winners(pass, block));
  } else {
    backward_by_definition(pass, block, dy, dx);
  }
}

void ConvStage::backward_by_winograd(const StagePass& pass, const Block& block, Tensor dy,
                                     Tensor dx) const {
  if (forward_is_lost) winograd_->transform(pass, block, in.values_with_border(block));
  Ahead ahead = block.next;
  winograd_->weight_gradients(pass, block, dy, winners(pass, block), ahead);
  if (!input_gradient) return;
  pass.mark_and_meet();
  winograd_->input_gradient(pass, block, dx, ahead);
}

// A pooled one makes some rows of the gradient before the pooling at a time.
void ConvStage::backward_by_definition(const StagePass& pass, const Block& block, Tensor dy,
                                       Tensor dx) const {
  const CpuKernels& kernels = pass.kernels;
  const Range mine = out.share(pass.part);
  const std::ptrdiff_t first_weight = mine.first * weights_of_output();
  float* dw = block.passing + weight_lanes_ + first_weight * kLanes;
  const Tensor x = in.values_with_border(block);
  const float* w = pass.parameters + weight_ + in.share(pass.part).first * weights_of_input();
  const int step = has_pool() ? backward_rows_ : convolved_.height;
  for (int first = 0; first < convolved_.height; first += step) {
    Tensor all = out.gradient(block);
    if (has_pool()) {
      all = scratch(pass, block, std::min(step, convolved_.height - first), step);
      const int first_pooled = first / pool_.rows;
      kernels.maxpool_backward(channels_of(all, mine),
                               rows_of(dy, first_pooled, all.height / pool_.rows),
                               winners_at(block, pass.part, winners_, first_pooled), pool_);
    }
    kernels.conv_backward_weights(dw, channels_of(all, mine), x, window_, first, first > 0);
    if (!input_gradient) continue;
    pass.mark_and_meet();
    kernels.conv_backward_input(dx, all, w, weights_of_output(), window_, first);
    if (has_pool()) pass.mark_and_meet();  // from here on nobody reads the scratch tensor
  }
  kernels.sum_lanes(block.batch->partials(partial_weights_, block.index) + first_weight, dw,
                    static_cast<int>(mine.count() * weights_of_output()));
}

int64_t ConvStage::output_work() const {
  if (winograd_rows_) return winograd_rows_->output_work();
  return winograd_ ? winograd_->output_work() : int64_t{convolved_.plane()} * weights_of_output();
}

int64_t ConvStage::input_work() const {
  return winograd_ ? winograd_->input_work()
                   : int64_t{convolved_.plane()} * convolved_.channels * weights_of_input();
}

int64_t ConvStage::forward_work(Worker part) const {
  return output_work() * out.share(part).count();
}

int64_t ConvStage::backward_work(Worker part) const {
  return forward_work(part) +  // as many for the weights' gradients
         (input_gradient ? input_work() * in.share(part).count() : 0);
}

void ConvStage::gradients(const GradientPass& pass) const {
  if (winograd_) {
    winograd_->gradients(pass);
  } else if (winograd_rows_) {
    winograd_rows_->gradients(pass);
  } else {
    sum_and_update(pass, partial_weights_, weight_, weight_count_);
  }
  sum_and_update(pass, partial_biases_, bias_, out.shape.channels);
}

}  // namespace digitron
