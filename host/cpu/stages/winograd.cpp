#include "host/cpu/stages/winograd.h"

#include <algorithm>

namespace digitron {

namespace {

// With fewer input channels to store sums at points costs what the products save (WinogradRows).
constexpr int kLeastChannels = 4;
constexpr int kLeastOutputs = 4;

// That with fewer products a row.
WinogradForm form_for(int taps, int columns) {
  const WinogradForm four{taps, 4}, five{taps, 5};
  const auto products = [&](WinogradForm form) { return form.points() * form.tiles(columns); };
  return products(five) < products(four) ? five : four;
}

PointTensor point_tensor(float* data, const Shape& shape, int tiles) {
  PointTensor tensor{digitron::dense(data, {shape.channels, shape.height, tiles}), 0};
  tensor.point_stride = tensor.channels * tensor.channel_stride;
  return tensor;
}

}  // namespace

bool WinogradRequest::possible() const {
  return conv.stride == 1 && (conv.kernel == 3 || conv.kernel == 5) && out.width >= kLeastOutputs &&
         (!pools() || (pool.rows == 2 && pool.stride == 2));
}

// A kernel row's sums over the blocks, in the blocks' order, are left where the first block's part
// was, and then transformed.
void update_kernel_rows(const GradientPass& pass, WinogradForm form, size_t du, size_t weights,
                        int all) {
  const Range mine = share(all, pass.worker);
  const std::ptrdiff_t next = all;
  float* sums = pass.batch.partials(du, 0);
  for (int b = 1; b < pass.blocks(); ++b) {
    const float* part = pass.batch.partials(du, b);
    for (int k = 0; k < form.points(); ++k)
      for (int row = mine.first; row < mine.last; ++row)
        sums[k * next + row] += part[k * next + row];
  }
  const size_t first = weights + size_t(mine.first) * form.taps;
  pass.kernels.winograd_weight_gradient(pass.update.gradients() + first, sums + mine.first, next,
                                        form, mine.count());
  pass.update.apply(first, mine.count() * form.taps);
}

bool Winograd::serves(const WinogradRequest& request) {
  return request.in.channels >= kLeastChannels && request.possible();
}

Winograd::Winograd(const WinogradRequest& request, MemorySizes& sizes)
    : form_(form_for(request.conv.kernel, request.out.width)),
      in_{request.in.channels, request.out.height + form_.taps - 1, request.in.width},
      out_(request.out),
      tiles_(form_.tiles(out_.width)),
      pool_(request.pools() ? 2 : 1),
      weights_(request.weights) {
  const auto points = size_t(form_.points());
  const size_t of_row = points * tiles_ * kLanes;
  const size_t weights = points * all_kernel_rows();
  u_ = MemorySizes::take(sizes.constants_floats, weights);
  u_back_ = MemorySizes::take(sizes.constants_floats, weights);
  v_ = MemorySizes::take(sizes.passing_floats, of_row * in_.channels * in_.height);
  m_ = MemorySizes::take(sizes.passing_floats, of_row * out_.channels * out_.height);
  du_lanes_ = MemorySizes::take(sizes.passing_floats, size_t(all_kernel_rows()) * kLanes);
  du_ = MemorySizes::take(sizes.batch_partials, weights);
}

PointTensor Winograd::transformed_input(const Block& block) const {
  return point_tensor(block.passing + v_, in_, tiles_);
}

PointTensor Winograd::transformed_output(const Block& block, Worker part) const {
  return channels_of(point_tensor(block.passing + m_, out_, tiles_), share(out_.channels, part));
}

void Winograd::prepare(const StagePass& pass) const {
  float* constants = pass.memory.constants.get();
  pass.kernels.winograd_weights(constants + u_, constants + u_back_, pass.parameters + weights_,
                                form_, out_.channels, in_.channels);
}

void Winograd::transform(const StagePass& pass, const Block& block, Tensor x) const {
  const Range inputs = share(in_.channels, pass.part);
  pass.kernels.winograd_input(channels_of(transformed_input(block), inputs),
                              rows_of(channels_of(x, inputs), 0, in_.height), form_);
  pass.mark_and_meet();
}

void Winograd::forward(const StagePass& pass, const Block& block, Tensor y, Winners winners,
                       const float* b, bool relu) const {
  const PointTensor m = transformed_output(block, pass.part);
  Ahead ahead = block.next;
  pass.kernels.winograd_multiply(
      m, transformed_input(block),
      pass.memory.constants.get() + u_ + share(out_.channels, pass.part).first, out_.channels,
      form_, ahead);
  if (pool_ == 1) {
    pass.kernels.winograd_output(y, m, b, form_, relu);
  } else {
    pass.kernels.winograd_pool_output(y, winners, m, b, form_, relu);
  }
}

void Winograd::weight_gradients(const StagePass& pass, const Block& block, Tensor dy,
                                Winners winners, Ahead& ahead) const {
  const Range outputs = share(out_.channels, pass.part);
  const std::ptrdiff_t first_row = std::ptrdiff_t{outputs.first} * kernel_rows();
  const PointTensor m = transformed_output(block, pass.part);
  if (pool_ == 1) {
    pass.kernels.winograd_output_gradient(m, dy, form_);
  } else {
    pass.kernels.winograd_pool_gradient(m, dy, winners, form_);
  }
  pass.kernels.winograd_multiply_weights(block.batch->partials(du_, block.index) + first_row,
                                         all_kernel_rows(), m, transformed_input(block), form_,
                                         block.passing + du_lanes_ + first_row * kLanes, ahead);
}

void Winograd::input_gradient(const StagePass& pass, const Block& block, Tensor dx,
                              Ahead& ahead) const {
  const Range inputs = share(in_.channels, pass.part);
  const PointTensor v = channels_of(transformed_input(block), inputs);
  pass.kernels.winograd_multiply_back(v, transformed_output(block, {0, 1}),
                                      pass.memory.constants.get() + u_back_ + inputs.first,
                                      in_.channels, form_, ahead);
  pass.kernels.winograd_input_gradient(rows_of(dx, 0, in_.height), v, form_);
}

void Winograd::gradients(const GradientPass& pass) const {
  update_kernel_rows(pass, form_, du_, weights_, all_kernel_rows());
}

}  // namespace digitron
