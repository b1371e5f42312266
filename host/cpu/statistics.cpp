#include "host/cpu/statistics.h"

#include <algorithm>
#include <cmath>

namespace digitron {

namespace {

int blocks_of(int count) {
  return (count + kLanes - 1) / kLanes;
}

double plane(const Stage& stage) {
  return static_cast<double>(stage.in.height) * stage.in.width;
}

// Of one channel over a batch. Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm
// for computing sample variances", 1979.
Moments batch_moments(const CpuLayout& layout, const Stage& stage, const BatchMemory& batch,
                      int channel, int count) {
  Moments all{0, 0};
  double values = 0;
  for (int b = 0; b < blocks_of(count); ++b) {
    const Moments& block = batch.moments_of(stage, layout, b)[channel];
    const double more = std::min(kLanes, count - b * kLanes) * plane(stage);
    const double difference = block.mean - all.mean;
    all.mean += difference * (more / (values + more));
    all.squares += block.squares + difference * difference * (values * more / (values + more));
    values += more;
  }
  return all;
}

// The mean's rounding goes into the shift, so that one that is large beside the deviation costs no
// precision.
void set_constants(BatchNormConstants constants, const Stage& stage, int channel, double mean,
                   double variance, const float* parameters) {
  const auto c = static_cast<size_t>(channel);
  const double inverse = 1 / std::sqrt(variance + BatchNorm2d::kEpsilon);
  const double scale = static_cast<double>(parameters[stage.weight + c]) * inverse;
  constants.center[c] = static_cast<float>(mean);
  constants.inverse[c] = static_cast<float>(inverse);
  constants.scale[c] = static_cast<float>(scale);
  const double rounding = static_cast<double>(constants.center[c]) - mean;
  constants.shift[c] =
      static_cast<float>(static_cast<double>(parameters[stage.bias + c]) + rounding * scale);
}

}  // namespace

void take_batch_statistics(BatchNormConstants constants, const CpuLayout& layout,
                           const Stage& stage, const BatchMemory& batch, const float* parameters,
                           int count) {
  for (int c = 0; c < stage.in.channels; ++c) {
    const Moments moments = batch_moments(layout, stage, batch, c, count);
    const double variance = moments.squares / (count * plane(stage));
    set_constants(constants, stage, c, moments.mean, variance, parameters);
  }
}

void take_running_statistics(BatchNormConstants constants, const Stage& stage, const float* buffers,
                             const float* parameters) {
  for (int c = 0; c < stage.in.channels; ++c) {
    const auto channel = static_cast<size_t>(c);
    set_constants(constants, stage, c, static_cast<double>(buffers[stage.running + channel]),
                  static_cast<double>(buffers[stage.running_variance + channel]), parameters);
  }
}

// dx = scale * (dy - db / m - normalised * dw / m), for m values a channel.
void take_batch_sums(BatchNormConstants constants, const CpuLayout& layout, const Stage& stage,
                     const BatchMemory& batch, int count) {
  const double values = count * plane(stage);
  const auto channels = static_cast<size_t>(stage.in.channels);
  for (size_t c = 0; c < channels; ++c) {
    double dw = 0;
    double db = 0;
    for (int b = 0; b < blocks_of(count); ++b) {
      const float* sums =
          batch.partials.get() + layout.block_partials * static_cast<size_t>(b) + stage.partial;
      dw += static_cast<double>(sums[c]);
      db += static_cast<double>(sums[channels + c]);
    }
    const auto scale = static_cast<double>(constants.scale[c]);
    constants.slope[c] =
        static_cast<float>(-scale * dw / values * static_cast<double>(constants.inverse[c]));
    constants.offset[c] = static_cast<float>(-scale * db / values);
  }
}

void update_running_statistics(float* buffers, const CpuLayout& layout, const Stage& stage,
                               const BatchMemory& batch, int count) {
  const auto take = [](float& running, double value) {
    const auto old = static_cast<double>(running);
    running = static_cast<float>(old + BatchNorm2d::kMomentum * (value - old));
  };
  for (int c = 0; c < stage.in.channels; ++c) {
    const auto channel = static_cast<size_t>(c);
    const Moments moments = batch_moments(layout, stage, batch, c, count);
    take(buffers[stage.running + channel], moments.mean);
    take(buffers[stage.running_variance + channel], moments.squares / (count * plane(stage) - 1));
  }
}

}  // namespace digitron
