#include "host/cpu/stages/batchnorm.h"

#include <algorithm>
#include <cmath>

namespace digitron {

BatchNormStage::BatchNormStage(const StageRequest& request, const BatchNorm2d&)
    : StageBase(request),
      pool_(fused_window(request.layers)),
      weight_(request.weight().offset),
      bias_(request.bias().offset),
      running_mean_(request.plan.running_mean(request.layer()).offset),
      running_variance_(request.plan.running_variance(request.layer()).offset) {
  MemorySizes& sizes = request.sizes;
  const auto count = static_cast<size_t>(channels());
  if (has_pool()) {
    taken_ = MemorySizes::take(sizes.kept_floats, size_t(out.shape.count()) * kLanes);
  }
  sum_lanes_ = MemorySizes::take(sizes.passing_floats, 2 * count * kLanes);
  partial_gradients_ = MemorySizes::take(sizes.batch_partials, 2 * count);
  moments_ = MemorySizes::take(sizes.batch_moments, count);
  constants_ = MemorySizes::take(sizes.constants_floats, kConstants * count);
}

BatchNormStage::Constants BatchNormStage::constants(const StagePass& pass) const {
  float* base = pass.memory.constants.get() + constants_;
  const std::ptrdiff_t count = channels();
  return {
      base, base + count, base + 2 * count, base + 3 * count, base + 4 * count, base + 5 * count};
}

Tensor BatchNormStage::taken(const Block& block, Worker part) const {
  if (!has_pool()) return in.values(block, part);
  return channels_of(dense(block.kept + taken_, out.shape), out.share(part));
}

const float* BatchNormStage::weights(const StagePass& pass) const {
  return pass.parameters + weight_ + in.share(pass.part).first;
}

// A pooling takes before the statistics are known: the sign of a weight says which element of a
// window will be the largest.
void BatchNormStage::take(const StagePass& pass, const Block& block) const {
  pass.kernels.batchnorm_pool_take(taken(block, pass.part), in.values(block, pass.part),
                                   weights(pass), pool_);
}

void BatchNormStage::leave_moments(const StagePass& pass, std::span<const Block> blocks) const {
  for (const Block& block : blocks) {
    pass.kernels.channel_moments(
        block.batch->moments(moments_, block.index) + in.share(pass.part).first,
        in.values(block, pass.part), block.count());
    if (has_pool()) take(pass, block);
  }
}

// One channel over a batch. Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for
// computing sample variances", 1979.
Moments BatchNormStage::batch_moments(const BatchMemory& batch, int channel, int count) const {
  Moments all{0, 0};
  double before = 0;
  for (int b = 0; b * kLanes < count; ++b) {
    const Moments& block = batch.moments(moments_, b)[channel];
    const double more = values(std::min(kLanes, count - b * kLanes));
    const double difference = block.mean - all.mean;
    all.mean += difference * (more / (before + more));
    all.squares += block.squares + difference * difference * (before * more / (before + more));
    before += more;
  }
  return all;
}

// The mean's rounding goes into the shift, so that one that is large beside the deviation costs no
// precision.
void BatchNormStage::set_constants(const StagePass& pass, int channel, double mean,
                                   double variance) const {
  const Constants k = constants(pass);
  const double inverse = 1 / std::sqrt(variance + BatchNorm2d::kEpsilon);
  const auto weight = static_cast<double>(pass.parameters[weight_ + size_t(channel)]);
  const auto bias = static_cast<double>(pass.parameters[bias_ + size_t(channel)]);
  const double scale = weight * inverse;
  k.center[channel] = static_cast<float>(mean);
  k.inverse[channel] = static_cast<float>(inverse);
  k.scale[channel] = static_cast<float>(scale);
  const double rounding = static_cast<double>(k.center[channel]) - mean;
  k.shift[channel] = static_cast<float>(bias + rounding * scale);
}

void BatchNormStage::take_batch_statistics(const StagePass& pass, const BatchMemory& batch) const {
  const int count = pass.step->count;
  for (int c = 0; c < channels(); ++c) {
    const Moments moments = batch_moments(batch, c, count);
    set_constants(pass, c, moments.mean, moments.squares / values(count));
  }
}

void BatchNormStage::take_running_statistics(const StagePass& pass, const float* running) const {
  for (int c = 0; c < channels(); ++c) {
    set_constants(pass, c, static_cast<double>(running[running_mean_ + size_t(c)]),
                  static_cast<double>(running[running_variance_ + size_t(c)]));
  }
}

void BatchNormStage::update_running_statistics(float* running, const BatchMemory& batch,
                                               int count) const {
  const auto take = [](float& kept, double value) {
    const auto old = static_cast<double>(kept);
    kept = static_cast<float>(old + BatchNorm2d::kMomentum * (value - old));
  };
  for (int c = 0; c < channels(); ++c) {
    const Moments moments = batch_moments(batch, c, count);
    take(running[running_mean_ + size_t(c)], moments.mean);
    take(running[running_variance_ + size_t(c)], moments.squares / (values(count) - 1));
  }
}

void BatchNormStage::forward(const StagePass& pass, std::span<const Block> blocks) const {
  const Constants k = constants(pass);
  const int first = in.share(pass.part).first;
  const Affine affine{k.center + first, k.scale + first, k.shift + first};
  for (const Block& block : blocks) {
    if (has_pool() && !pass.step) take(pass, block);
    pass.kernels.batchnorm_forward(out.values(block, pass.part), taken(block, pass.part), affine,
                                   relu);
  }
}

void BatchNormStage::backward(const StagePass& pass, std::span<const Block> blocks) const {
  const Constants k = constants(pass);
  const Range mine = in.share(pass.part);
  for (const Block& block : blocks) {
    float* dw_lanes = block.passing + sum_lanes_ + std::ptrdiff_t{mine.first} * kLanes;
    float* db_lanes = dw_lanes + std::ptrdiff_t{channels()} * kLanes;
    const Tensor dy = out.gradient(block, pass.part);
    if (relu) pass.kernels.relu_backward(dy, dy, out.values(block, pass.part), 1.0f);
    pass.kernels.batchnorm_sums(dw_lanes, db_lanes, dy, taken(block, pass.part),
                                k.center + mine.first);
    float* sums = block.batch->partials(partial_gradients_, block.index);
    pass.kernels.sum_lanes(sums + mine.first, dw_lanes, mine.count());
    pass.kernels.sum_lanes(sums + channels() + mine.first, db_lanes, mine.count());
    for (int c = mine.first; c < mine.last; ++c) sums[c] *= k.inverse[c];
  }
}

// dx = scale * (dy - db / m - normalised * dw / m), for m values a channel.
void BatchNormStage::take_batch_sums(const StagePass& pass, const BatchMemory& batch) const {
  const Constants k = constants(pass);
  const int count = pass.step->count;
  for (int c = 0; c < channels(); ++c) {
    double dw = 0;
    double db = 0;
    for (int b = 0; b * kLanes < count; ++b) {
      const float* sums = batch.partials(partial_gradients_, b);
      dw += static_cast<double>(sums[c]);
      db += static_cast<double>(sums[channels() + c]);
    }
    const auto scale = static_cast<double>(k.scale[c]);
    const auto inverse = static_cast<double>(k.inverse[c]);
    k.slope[c] = static_cast<float>(-scale * dw / values(count) * inverse);
    k.offset[c] = static_cast<float>(-scale * db / values(count));
  }
}

void BatchNormStage::input_gradients(const StagePass& pass, std::span<const Block> blocks) const {
  const Constants k = constants(pass);
  const int first = in.share(pass.part).first;
  const AffineGradient affine{k.center + first, k.scale + first, k.slope + first, k.offset + first};
  for (const Block& block : blocks) {
    const Tensor x = in.values(block, pass.part);
    const Tensor dx = in.gradient(block, pass.part);
    const Tensor dy = out.gradient(block, pass.part);
    if (has_pool()) {
      pass.kernels.batchnorm_pool_backward(dx, dy, x, weights(pass), affine, pool_, block.count(),
                                           backward_through_relu);
    } else {
      pass.kernels.batchnorm_backward(dx, dy, x, affine, block.count(), backward_through_relu);
    }
  }
}

void BatchNormStage::gradients(const GradientPass& pass) const {
  sum_and_update(pass, partial_gradients_, weight_, channels());
  sum_and_update(pass, partial_gradients_ + size_t(channels()), bias_, channels());
}

}  // namespace digitron
