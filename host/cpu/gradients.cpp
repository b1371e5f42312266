// The second phase of the CPU engine's step: gradients of the parameters over the whole batch, and
// their update.
#include <algorithm>

#include "host/cpu/cpu_engine.h"

namespace digitron {

namespace {

// A thread's share of a linear stage's columns, in whole vectors.
Range column_share(const Stage& stage, int thread, int threads) {
  const Range vectors = share(stage.row_floats() / kLanes, thread, threads);
  return {vectors.first * kLanes, std::min(vectors.last * kLanes, stage.in.count())};
}

}  // namespace

// Phase two: a thread's share of every stage's gradients and of their update.
void CpuEngine::make_gradients(int thread, int blocks, const StepRates& rates) {
  for (const Stage& stage : layout_.stages) {
    if (stage.weight_count == 0) continue;
    const Range outputs = share(stage.out.channels, thread, team_.size());
    if (stage.kind == Stage::Kind::kLinear) {
      linear_gradients(stage, thread, blocks, rates);
      kernels_.linear_backward_bias(gradients_.get() + stage.bias, batch_.dy(stage, 0),
                                    stage.out.count(), outputs.first, outputs.last, blocks);
    } else {
      const Range weights = share(stage.weight_count, thread, team_.size());
      const float* partial = batch_.partials.get() + stage.partial;
      sum_partials(stage.weight, partial, weights, blocks);
      sum_partials(stage.bias, partial + stage.weight_count, outputs, blocks);
      update(stage.weight, weights, rates);
    }
    update(stage.bias, outputs, rates);
  }
}

// Threads share the columns: each reads its own columns of the inputs, and all of dy, which is
// small.
void CpuEngine::linear_gradients(const Stage& stage, int thread, int blocks,
                                 const StepRates& rates) {
  const Range columns = column_share(stage, thread, team_.size());
  if (columns.first == columns.last) return;
  const bool from_images = &stage == &layout_.stages.front();
  const int row_floats =
      from_images ? whole_vectors(columns.last - columns.first) : stage.row_floats();
  const bool fused = plain_sgd();
  const SgdStep step = fused ? sgd_step(stage.weight, rates) : SgdStep{};
  for (int first = 0; first < blocks; first += kStripBlocks) {
    const int count = std::min(kStripBlocks, blocks - first);
    const float* xt = from_images ? gather_strip(thread, first, count, columns.first, row_floats)
                                  : batch_.xt(stage, first) + columns.first;
    const bool last = first + count == blocks;
    kernels_.linear_backward_weights(gradients_.get() + stage.weight, batch_.dy(stage, first), xt,
                                     stage.in.count(), row_floats, stage.out.count(), columns.first,
                                     columns.last, count, first > 0,
                                     fused && last ? &step : nullptr);
  }
  if (fused) return;
  for (int row = 0; row < stage.out.count(); ++row) {
    update(stage.weight + static_cast<size_t>(row) * stage.in.count(), columns, rates);
  }
}

// Some columns of `count` blocks of images, one sample a row, from block `first` on.
const float* CpuEngine::gather_strip(int thread, int first, int count, int first_pixel,
                                     int row_floats) {
  float* strip = memory_[thread].strip.get();
  for (int b = 0; b < count; ++b) {
    const BlockSamples& samples = samples_[first + b];
    kernels_.gather_rows(strip + std::ptrdiff_t{b} * kLanes * row_floats, row_floats,
                         samples.images, samples.count, first_pixel);
  }
  return strip;
}

// Gradients of convolutions: the blocks' parts summed in order.
void CpuEngine::sum_partials(size_t offset, const float* parts, Range range, int blocks) {
  float* sum = gradients_.get() + offset;
  for (int i = range.first; i < range.last; ++i) {
    sum[i] = parts[i];
    for (int b = 1; b < blocks; ++b) sum[i] += parts[b * layout_.block_partials + i];
  }
}

// The one that linear layers do then and there. The others cost a pass over the parameters more,
// which are in cache: not worth a copy of the matrix product for each optimiser.
bool CpuEngine::plain_sgd() const {
  return training_.optimizer.kind == OptimizerKind::kSgd && training_.optimizer.average_decay == 0;
}

SgdStep CpuEngine::sgd_step(size_t offset, const StepRates& rates) const {
  return {buffer(State::kParameters) + offset, buffer(State::kMomentum) + offset, rates.lr,
          training_.optimizer.momentum, training_.optimizer.weight_decay};
}

void CpuEngine::update(size_t offset, Range range, const StepRates& rates) {
  offset += range.first;
  const float* g = gradients_.get() + offset;
  const int count = range.last - range.first;
  if (plain_sgd()) return kernels_.sgd(sgd_step(offset, rates), g, count);
  const auto at = [&](State which) { return buffer(which) ? buffer(which) + offset : nullptr; };
  kernels_.update({at(State::kParameters), at(State::kMomentum), at(State::kSecondMoment),
                   at(State::kAverage), update_rule(training_.optimizer), rates},
                  g, count);
}

}  // namespace digitron
