#include "host/cpu/stages/linear.h"

#include <algorithm>

namespace digitron {

namespace {

// Of the images, a thread makes a strip of columns of so many blocks at once: for a batch of 64 it
// stays in L1 while it meets all of the outputs' gradients.
constexpr int kStripBlocks = 16;
constexpr int kStripVectors = 4;

// Some columns of the images of `blocks` blocks, one sample a row.
const float* gather_columns(const GradientPass& pass, int first_block, int blocks, int first_column,
                            int floats) {
  float* strip = pass.memory.strip.get();
  for (int b = 0; b < blocks; ++b) {
    const BlockSamples& samples = pass.samples[size_t(first_block + b)];
    pass.kernels.gather_rows(strip + std::ptrdiff_t{b} * kLanes * floats, floats, samples.images,
                             samples.count, pass.pixels, first_column);
  }
  return strip;
}

}  // namespace

LinearStage::LinearStage(const StageRequest& request, const Linear&)
    : StageBase(request),
      from_images_(request.first),
      weight_(request.weight().offset),
      bias_(request.bias().offset) {
  if (request.layers.dropout) {
    const auto& dropout = std::get<Dropout>(request.layers.dropout->layer);
    dropout_.emplace(dropout.probability, request.layers.dropout_index);
  }
  MemorySizes& sizes = request.sizes;
  const size_t rows = size_t(kLanes) * row_floats();
  if (from_images_) {
    sizes.strip_floats = size_t(kStripBlocks) * kLanes * kStripVectors * kLanes;
    sums_ = MemorySizes::take(sizes.batch_floats, sums_floats());
    sizes.scratch_floats = std::max(sizes.scratch_floats, sums_floats());
  } else {
    input_rows_ = MemorySizes::take(sizes.batch_floats, rows);
  }
  gradient_in_batch = MemorySizes::take(sizes.batch_floats, size_t(outputs()) * kLanes);
}

Range LinearStage::columns(Worker part) const {
  const Range vectors = share(row_floats() / kLanes, part);
  return {std::min(vectors.first * kLanes, inputs()), std::min(vectors.last * kLanes, inputs())};
}

// (kLanes, row_floats), and the next blocks' after it.
float* LinearStage::input_rows(const BatchMemory& batch, int block) const {
  return batch.floats(input_rows_, size_t(kLanes) * row_floats(), block);
}

// (outputs, kLanes), likewise.
float* LinearStage::output_gradients(const BatchMemory& batch, int block) const {
  return batch.floats(*gradient_in_batch, size_t(outputs()) * kLanes, block);
}

// In evaluation nobody else needs them.
float* LinearStage::sums(const StagePass& pass, const Block& block) const {
  return pass.step ? block.batch->floats(sums_, sums_floats(), block.index)
                   : block.passing + pass.sizes.scratch;
}

size_t LinearStage::stored_at(const Tile& tile) const {
  return weight_ + size_t(tile.columns.first) * outputs() +
         size_t(tile.outputs.first) * tile.columns.count();
}

// Calls f(offset in the plan's order, offset in the stored order, count).
template <class F>
void LinearStage::for_each_stored_row(const F& f) const {
  for_each_tile({0, 1}, [&](const Tile& tile) {
    const size_t planned = weight_ + tile.columns.first;
    const int count = tile.columns.count();
    for (int o = 0; o < outputs(); ++o) {
      f(planned + size_t(o) * inputs(), stored_at(tile) + size_t(o) * count, count);
    }
  });
}

void LinearStage::to_stored_order(float* stored, const float* planned) const {
  for_each_stored_row([&](size_t in_plan, size_t in_store, int count) {
    std::copy_n(planned + in_plan, count, stored + in_store);
  });
}

void LinearStage::to_plan_order(float* planned, const float* stored) const {
  for_each_stored_row([&](size_t in_plan, size_t in_store, int count) {
    std::copy_n(stored + in_store, count, planned + in_plan);
  });
}

void LinearStage::forward_tile(const StagePass& pass, const Tile& tile,
                               std::span<const Block> blocks) const {
  const Block& first = blocks.front();
  const Range mine = tile.outputs;
  const auto passing = static_cast<std::ptrdiff_t>(pass.sizes.passing_floats);
  const bool second = tile.part % 2 != 0 && adds_pairs(pass);
  const int place = second ? tile.part - 1 : tile.part;
  pass.kernels.linear_forward(
      sums(pass, first) + (std::ptrdiff_t{place} * outputs() + mine.first) * kLanes,
      pass.step ? static_cast<std::ptrdiff_t>(sums_floats()) : passing, in.values(first).data,
      passing, static_cast<int>(blocks.size()), pass.parameters + stored_at(tile),
      tile.columns.count(), tile.part == 0 ? pass.parameters + bias_ + mine.first : nullptr,
      tile.columns.count(), mine.count(), second ? SumsUse::kAdd : SumsUse::kStore);
}

void LinearStage::add_sums(const StagePass& pass, std::span<const Block> blocks) const {
  const Range mine = out.elements(pass.part);
  const bool added = adds_pairs(pass);
  const std::ptrdiff_t part = std::ptrdiff_t{outputs()} * kLanes;
  for (const Block& block : blocks) {
    pass.kernels.sum_parts(out.values(block, pass.part).data,
                           sums(pass, block) + std::ptrdiff_t{mine.first} * kLanes, part, added,
                           mine.count() * kLanes, relu);
  }
}

void LinearStage::multiply(const StagePass& pass, std::span<const Block> blocks) const {
  const Block& first = blocks.front();
  const Range mine = out.elements(pass.part);
  const auto stride = static_cast<std::ptrdiff_t>(pass.sizes.passing_floats);
  pass.kernels.linear_forward(out.values(first, pass.part).data, stride, in.values(first).data,
                              stride, static_cast<int>(blocks.size()),
                              pass.parameters + weight_ + size_t(mine.first) * inputs(), inputs(),
                              pass.parameters + bias_ + mine.first, inputs(), mine.count(),
                              relu ? SumsUse::kRectify : SumsUse::kStore);
}

void LinearStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  if (from_images_) {
    add_sums(pass, blocks);
  } else {
    multiply(pass, blocks);
  }
  if (!pass.step) return;
  const Range turned = columns(pass.part);
  for (const Block& block : blocks) {
    const Tensor y = out.values(block, pass.part);
    if (dropout_) dropout_->apply(pass, block, out, y, y);
    if (from_images_) continue;
    pass.kernels.transpose(input_rows(*block.batch, block.index) + turned.first, row_floats(),
                           in.values(block).data + std::ptrdiff_t{turned.first} * kLanes,
                           turned.count());
  }
}

// After a ReLU the sign of what is left says what dropout has dropped: no mask is drawn again. The
// gradient of the inputs is of all outputs, for which the crew meets.
void LinearStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  const Block& first = blocks.front();
  if (relu) {
    for (const Block& block : blocks) {
      const Tensor dy = out.gradient(block, pass.part);
      pass.kernels.relu_backward(dy, dy, one_row(out.values(block, pass.part).data, dy.width),
                                 dropout_ ? dropout_->scale() : 1.0f);
    }
  }
  if (!input_gradient) return;
  pass.mark_and_meet();
  const Range mine = in.elements(pass.part);
  const auto dx_stride = static_cast<std::ptrdiff_t>(
      in.gradient_in_batch ? size_t(inputs()) * kLanes : pass.sizes.passing_floats);
  pass.kernels.linear_backward_input(
      in.gradient(first, pass.part).data, dx_stride, out.gradient(first).data,
      std::ptrdiff_t{outputs()} * kLanes, static_cast<int>(blocks.size()),
      pass.parameters + weight_ + mine.first, inputs(), mine.count(), outputs());
}

int64_t LinearStage::forward_work(Worker part) const {
  return from_images_ ? 0 : int64_t{out.elements(part).count()} * inputs();
}

int64_t LinearStage::backward_work(Worker part) const {
  return input_gradient ? int64_t{in.elements(part).count()} * outputs() : 0;
}

int64_t LinearStage::gradient_work(Worker worker) const {
  int64_t weights = 0;
  for_each_tile(worker, [&](const Tile& tile) {
    weights += int64_t{tile.columns.count()} * tile.outputs.count();
  });
  return weights;
}

void LinearStage::gradients(const GradientPass& pass) const {
  if (!from_images_) bias_gradients(pass, share(outputs(), pass.worker));
  for_each_tile(pass.worker, [&](const Tile& tile) {
    weight_gradients(pass, tile);
    if (from_images_ && tile.part == 0) bias_gradients(pass, tile.outputs);
  });
}

void LinearStage::bias_gradients(const GradientPass& pass, Range mine) const {
  pass.kernels.linear_backward_bias(pass.update.gradients() + bias_,
                                    output_gradients(pass.batch, 0), outputs(), mine.first,
                                    mine.last, pass.blocks());
  pass.update.apply(bias_ + mine.first, mine.count());
}

// Of a layer behind others, threads share the rows: with shares of columns both would write to the
// line where each row is cut.
void LinearStage::weight_gradients(const GradientPass& pass, const Tile& tile) const {
  const Range mine = tile.columns;
  const int vectors = (mine.count() + kLanes - 1) / kLanes;
  const int strips = from_images_ ? (vectors + kStripVectors - 1) / kStripVectors : 1;
  for (int strip = 0; strip < strips; ++strip) {
    const Range part = share(vectors, {strip, strips});
    const Range taken{mine.first + part.first * kLanes,
                      std::min(mine.first + part.last * kLanes, mine.last)};
    if (taken.count() > 0) strip_gradients(pass, tile, taken);
  }
}

void LinearStage::strip_gradients(const GradientPass& pass, const Tile& tile, Range strip) const {
  const int floats = from_images_ ? (strip.count() + kLanes - 1) / kLanes * kLanes : row_floats();
  const bool fused = pass.update.is_plain_sgd();
  const Range stored = tile.columns;
  const Range rows = tile.outputs;
  const size_t at = stored_at(tile);
  const int column = strip.first - stored.first;
  const SgdStep step = fused ? pass.update.sgd_step(at) : SgdStep{};
  for (int first = 0; first < pass.blocks(); first += kStripBlocks) {
    const int count = std::min(kStripBlocks, pass.blocks() - first);
    const float* x = from_images_ ? gather_columns(pass, first, count, strip.first, floats)
                                  : input_rows(pass.batch, first) + strip.first;
    const bool last = first + count == pass.blocks();
    pass.kernels.linear_backward_weights(
        pass.update.gradients() + at,
        output_gradients(pass.batch, first) + std::ptrdiff_t{rows.first} * kLanes,
        std::ptrdiff_t{outputs()} * kLanes, x, stored.count(), floats, rows.count(), column,
        column + strip.count(), count, first > 0, fused && last ? &step : nullptr);
  }
  if (fused) return;
  for (int row = 0; row < rows.count(); ++row) {
    pass.update.apply(at + size_t(row) * stored.count() + column, strip.count());
  }
}

}  // namespace digitron
