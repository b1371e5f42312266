#include "host/cpu/stages/stage.h"

#include <algorithm>

namespace digitron {

namespace {

Tensor dense(float* data, int channels, int height, int width) {
  return {data,
          channels,
          height,
          width,
          std::ptrdiff_t{width} * kLanes,
          std::ptrdiff_t{height} * width * kLanes};
}

Tensor with_border(const Slot& slot, float* data) {
  return dense(data, slot.shape.channels, slot.shape.height + 2 * slot.border,
               slot.shape.width + 2 * slot.border);
}

Tensor without_border(const Slot& slot, float* data) {
  Tensor tensor = with_border(slot, data);
  tensor.data += slot.border * tensor.row_stride + slot.border * kLanes;
  tensor.height = slot.shape.height;
  tensor.width = slot.shape.width;
  return tensor;
}

float* values_of(const Slot& slot, const Block& block) {
  return (slot.kept ? block.kept : block.passing) + slot.place;
}

float* gradient_of(const Slot& slot, const Block& block) {
  return (slot.gradient_kept ? block.kept : block.passing) + slot.gradient_place;
}

}  // namespace

Tensor dense(float* data, const Shape& shape) {
  return dense(data, shape.channels, shape.height, shape.width);
}

Tensor one_row(float* data, int count) {
  return dense(data, 1, 1, count);
}

size_t Slot::floats() const {
  return size_t(shape.channels) * (shape.height + 2 * border) * (shape.width + 2 * border) * kLanes;
}

Tensor Slot::values(const Block& block) const {
  return without_border(*this, values_of(*this, block));
}

Tensor Slot::values_with_border(const Block& block) const {
  return with_border(*this, values_of(*this, block));
}

Tensor Slot::gradient(const Block& block) const {
  if (!gradient_in_batch) return without_border(*this, gradient_of(*this, block));
  const int count = shape.count();
  return one_row(block.batch->floats(gradient_place, size_t(count) * kLanes, block.index), count);
}

Tensor Slot::values(const Block& block, Worker part) const {
  return channels_of(values(block), share(part));
}

Tensor Slot::gradient(const Block& block, Worker part) const {
  if (!gradient_in_batch) return channels_of(gradient(block), share(part));
  const Range mine = elements(part);
  return one_row(gradient(block).data + std::ptrdiff_t{mine.first} * kLanes, mine.count());
}

Tensor Slot::zeroed_gradient(const Block& block, Worker part) const {
  const Tensor mine = channels_of(with_border(*this, gradient_of(*this, block)), share(part));
  std::fill_n(mine.data, mine.channels * mine.channel_stride, 0.0f);
  return mine;
}

void sum_and_update(const GradientPass& pass, size_t place, size_t offset, int count) {
  const Range mine = share(count, pass.worker);
  const float* parts = pass.batch.partials(place, 0);
  const size_t stride = pass.batch.partial_stride();
  float* sum = pass.update.gradients() + offset;
  for (int i = mine.first; i < mine.last; ++i) {
    sum[i] = parts[i];
    for (int b = 1; b < pass.blocks(); ++b) sum[i] += parts[size_t(b) * stride + i];
  }
  pass.update.apply(offset + mine.first, mine.count());
}

}  // namespace digitron
