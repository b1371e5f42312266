#include "host/cpu_engine.h"

#include <algorithm>

#include "host/cpu_arch.h"
#include "host/permutation.h"

namespace digitron {

namespace {

int blocks_of(int count) {
  return (count + kLanes - 1) / kLanes;
}

// The part of `count` things that falls to one thread of several.
Range share(int count, int thread, int threads) {
  return {static_cast<int>(int64_t{count} * thread / threads),
          static_cast<int>(int64_t{count} * (thread + 1) / threads)};
}

// The same of a linear stage's columns, in whole vectors.
Range column_share(const Stage& stage, int thread, int threads) {
  const Range vectors = share(stage.row_floats() / kLanes, thread, threads);
  return {vectors.first * kLanes, std::min(vectors.last * kLanes, stage.in.count())};
}

int usable_cores() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Block b of `count` samples that lie one after another.
BlockSamples consecutive(const uint8_t* images, const uint8_t* labels, int b, int count) {
  BlockSamples samples;
  samples.count = std::min(kLanes, count - b * kLanes);
  for (int n = 0; n < samples.count; ++n) {
    const size_t index = static_cast<size_t>(b) * kLanes + n;
    samples.images[n] = images + index * kImagePixels;
    samples.labels[n] = labels ? labels[index] : 0;
  }
  return samples;
}

}  // namespace

CpuEngine::CpuEngine(const Plan& plan, int threads, const CpuKernels& kernels)
    : plan_(plan),
      layout_(make_cpu_layout(plan)),
      kernels_(kernels),
      parameters_(make_aligned<float>(plan.parameter_floats)),
      momentum_(make_aligned<float>(plan.parameter_floats)),
      gradients_(make_aligned<float>(plan.parameter_floats)),
      batch_(layout_, blocks_of(plan.batch)),
      samples_(blocks_of(plan.batch)),
      losses_(blocks_of(plan.batch)),
      team_(threads) {
  for (int thread = 0; thread < threads; ++thread) memory_.emplace_back(layout_);
}

std::string CpuEngine::description() const {
  const int threads = team_.size();
  return std::string("CPU, ") + kernels_.name + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

void CpuEngine::load(std::shared_ptr<const Dataset> train, std::shared_ptr<const Dataset> test) {
  train_ = std::move(train);
  test_ = std::move(test);
}

void CpuEngine::set_parameters(std::span<const float> parameters) {
  std::copy(parameters.begin(), parameters.end(), parameters_.get());
}

std::vector<float> CpuEngine::parameters() const {
  return {parameters_.get(), parameters_.get() + plan_.parameter_floats};
}

void CpuEngine::set_momentum(std::span<const float> momentum) {
  std::copy(momentum.begin(), momentum.end(), momentum_.get());
}

std::vector<float> CpuEngine::momentum() const {
  return {momentum_.get(), momentum_.get() + plan_.parameter_floats};
}

// Phase one of a step: the blocks of a batch of `count` samples. Which thread takes which is fixed,
// so that a block's memory stays in one core's cache.
void CpuEngine::forward_backward(int thread, int count) {
  BlockPass pass(layout_, kernels_, parameters_.get(), memory_[thread]);
  for (int b = thread; b < blocks_of(count); b += team_.size()) {
    pass.train(losses_[b], samples_[b], batch_, b, count);
  }
}

// Phase two: a thread's share of every stage's gradients, and of their update.
void CpuEngine::make_gradients(int thread, int blocks, bool update) {
  for (const Stage& stage : layout_.stages) {
    if (stage.weight_count == 0) continue;
    const Range outputs = share(stage.out.channels, thread, team_.size());
    if (stage.kind == Stage::Kind::kLinear) {
      linear_gradients(stage, thread, blocks, update);
      kernels_.linear_backward_bias(gradients_.get() + stage.bias, batch_.dy(stage, 0),
                                    stage.out.count(), outputs.first, outputs.last, blocks);
    } else {
      const Range weights = share(stage.weight_count, thread, team_.size());
      const float* partial = batch_.partials.get() + stage.partial;
      sum_partials(stage.weight, partial, weights, blocks);
      sum_partials(stage.bias, partial + stage.weight_count, outputs, blocks);
      if (update) sgd(stage.weight, weights);
    }
    if (update) sgd(stage.bias, outputs);
  }
}

// Threads share the columns: each reads its own columns of the inputs, and all of dy, which is
// small.
void CpuEngine::linear_gradients(const Stage& stage, int thread, int blocks, bool update) {
  const Range columns = column_share(stage, thread, team_.size());
  if (columns.first == columns.last) return;
  const bool from_images = &stage == &layout_.stages.front();
  const int row_floats =
      from_images ? whole_vectors(columns.last - columns.first) : stage.row_floats();
  const SgdStep step = sgd_step(stage.weight);
  for (int first = 0; first < blocks; first += kStripBlocks) {
    const int count = std::min(kStripBlocks, blocks - first);
    const float* xt = from_images ? gather_strip(thread, first, count, columns.first, row_floats)
                                  : batch_.xt(stage, first) + columns.first;
    const bool last = first + count == blocks;
    kernels_.linear_backward_weights(gradients_.get() + stage.weight, batch_.dy(stage, first), xt,
                                     stage.in.count(), row_floats, stage.out.count(), columns.first,
                                     columns.last, count, first > 0,
                                     update && last ? &step : nullptr);
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

SgdStep CpuEngine::sgd_step(size_t offset) const {
  return {parameters_.get() + offset, momentum_.get() + offset, sgd_.lr, sgd_.momentum,
          sgd_.weight_decay};
}

void CpuEngine::sgd(size_t offset, Range range) {
  offset += range.first;
  kernels_.sgd(sgd_step(offset), gradients_.get() + offset, range.last - range.first);
}

Metrics CpuEngine::sum_losses(int count) const {
  Metrics metrics;
  metrics.count = count;
  for (int n = 0; n < count; ++n) {
    metrics.loss_sum += losses_[n / kLanes].loss[n % kLanes];
    metrics.correct += losses_[n / kLanes].correct[n % kLanes];
  }
  return metrics;
}

std::vector<Metrics> CpuEngine::train(int epoch, int first, int last) {
  const Dataset& data = *train_;
  const Permutation permutation(order_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(data.count()), order_.shuffle);
  std::vector<Metrics> steps(std::max(0, last - first));
  team_.run([&](int thread) {
    for (int step = first; step < last; ++step) {
      const int begin = step * plan_.batch;
      const int count = std::min(plan_.batch, data.count() - begin);
      for (int b = thread; b < blocks_of(count); b += team_.size()) {
        BlockSamples& samples = samples_[b];
        samples.count = std::min(kLanes, count - b * kLanes);
        for (int n = 0; n < samples.count; ++n) {
          const size_t index = permutation(static_cast<uint32_t>(begin + b * kLanes + n));
          samples.images[n] = data.images.data() + index * kImagePixels;
          samples.labels[n] = data.labels[index];
        }
      }
      forward_backward(thread, count);
      team_.barrier();
      if (thread == 0) steps[step - first] = sum_losses(count);
      make_gradients(thread, blocks_of(count), true);
      team_.barrier();
    }
  });
  return steps;
}

std::vector<float> CpuEngine::gradients(std::span<const uint8_t> images,
                                        std::span<const uint8_t> labels) {
  const int count = static_cast<int>(labels.size());
  for (int b = 0; b < blocks_of(count); ++b) {
    samples_[b] = consecutive(images.data(), labels.data(), b, count);
  }
  team_.run([&](int thread) {
    forward_backward(thread, count);
    team_.barrier();
    make_gradients(thread, blocks_of(count), false);
  });
  return {gradients_.get(), gradients_.get() + plan_.parameter_floats};
}

// Takes images forward in blocks; take(pass, b, samples) reads off the result.
template <class Take>
void CpuEngine::forward_blocks(int count, const uint8_t* images, const uint8_t* labels,
                               const Take& take) {
  team_.run([&](int thread) {
    BlockPass pass(layout_, kernels_, parameters_.get(), memory_[thread]);
    for (int b = thread; b < blocks_of(count); b += team_.size()) {
      const BlockSamples samples = consecutive(images, labels, b, count);
      pass.forward(samples);
      take(pass, b, samples);
    }
  });
}

Metrics CpuEngine::evaluate(Split split) {
  const Dataset& data = split == Split::kTrain ? *train_ : *test_;
  std::vector<Metrics> parts(blocks_of(data.count()));
  forward_blocks(data.count(), data.images.data(), data.labels.data(),
                 [&](const BlockPass& pass, int b, const BlockSamples& samples) {
                   BlockLosses losses;
                   pass.loss(losses, samples);
                   for (int n = 0; n < samples.count; ++n) {
                     parts[b] += {losses.loss[n], losses.correct[n], 1};
                   }
                 });
  Metrics total;
  for (const Metrics& part : parts) total += part;
  return total;
}

std::vector<float> CpuEngine::predict(std::span<const uint8_t> images) {
  const int count = static_cast<int>(images.size() / kImagePixels);
  std::vector<float> logits(static_cast<size_t>(count) * kClasses);
  forward_blocks(count, images.data(), nullptr,
                 [&](const BlockPass& pass, int b, const BlockSamples& samples) {
                   for (int n = 0; n < samples.count; ++n) {
                     float* row = logits.data() + (static_cast<size_t>(b) * kLanes + n) * kClasses;
                     for (int c = 0; c < kClasses; ++c) row[c] = pass.logits()[c * kLanes + n];
                   }
                 });
  return logits;
}

std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads) {
  return std::make_unique<CpuEngine>(plan, threads > 0 ? threads : usable_cores(),
                                     *runnable_cpu_kernels().front());
}

std::vector<DeviceReport> cpu_devices() {
  std::string sets;
  for (const CpuKernels* kernels : runnable_cpu_kernels()) {
    sets += (sets.empty() ? "" : ", ") + std::string(kernels->name);
  }
  return {{"cpu",
           std::to_string(usable_cores()) + " cores, " + runnable_cpu_kernels().front()->name +
               " kernels (this machine runs " + sets + ")",
           true}};
}

}  // namespace digitron
