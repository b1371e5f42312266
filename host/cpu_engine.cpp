#include "host/cpu_engine.h"

#include <algorithm>

#include "host/cpu_arch.h"
#include "host/permutation.h"

namespace digitron {

namespace {

int blocks_of(int count) {
  return (count + kLanes - 1) / kLanes;
}

int usable_cores() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// `count` samples that lie one after another, from sample b * kLanes on.
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
      losses_(blocks_of(plan.batch)),
      team_(threads) {
  for (int thread = 0; thread < threads; ++thread) memory_.emplace_back(layout_);
  make_slices();
}

std::string CpuEngine::description() const {
  const int threads = team_.size();
  return std::string("CPU, ") + kernels_.name + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

// Slices small enough that several threads share the largest layer evenly.
void CpuEngine::make_slices() {
  constexpr int kSliceRows = 12;
  for (const Stage& stage : layout_.stages) {
    if (stage.kind == Stage::Kind::kConv) slices_.push_back({&stage, 0, stage.out.channels});
    if (stage.kind != Stage::Kind::kLinear) continue;
    const int outputs = stage.out.count();
    for (int first = 0; first < outputs; first += kSliceRows) {
      slices_.push_back({&stage, first, std::min(first + kSliceRows, outputs)});
    }
  }
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

// Phase one of a step: blocks of `count` samples; samples_of(b) gives those of block b.
template <class Samples>
void CpuEngine::process_blocks(int thread, int count, const Samples& samples_of) {
  BlockPass pass(layout_, kernels_, parameters_.get(), memory_[thread]);
  const int blocks = blocks_of(count);
  for (int b = next_block_++; b < blocks; b = next_block_++) {
    pass.train(losses_[b], samples_of(b), batch_, b, count);
  }
}

// Phase two: gradients of the parameters and, when asked, their update.
void CpuEngine::process_slices(int blocks, bool to_update) {
  const int count = static_cast<int>(slices_.size());
  for (int s = next_slice_++; s < count; s = next_slice_++) {
    const Slice& slice = slices_[s];
    make_gradients(slice, blocks);
    if (!to_update) continue;
    const std::ptrdiff_t row = slice.stage->weight_count / slice.stage->out.channels;
    update(slice.stage->weight + slice.first * row, (slice.last - slice.first) * row);
    update(slice.stage->bias + slice.first, slice.last - slice.first);
  }
}

void CpuEngine::make_gradients(const Slice& slice, int blocks) {
  const Stage& stage = *slice.stage;
  float* dw = gradients_.get() + stage.weight;
  float* db = gradients_.get() + stage.bias;
  if (stage.kind == Stage::Kind::kLinear) {
    kernels_.linear_backward_weights(dw, db, batch_.dy(stage, 0), batch_.xt(stage, 0),
                                     stage.in.count(), stage.row_floats(), stage.out.count(),
                                     slice.first, slice.last, blocks);
    return;
  }
  const auto sum_blocks = [&](float* sum, const float* part, int count) {
    std::copy_n(part, count, sum);
    for (int b = 1; b < blocks; ++b) {
      part += layout_.block_partials;
      for (int i = 0; i < count; ++i) sum[i] += part[i];
    }
  };
  const float* partial = batch_.partials.get() + stage.partial;
  sum_blocks(dw, partial, stage.weight_count);
  sum_blocks(db, partial + stage.weight_count, stage.out.channels);
}

void CpuEngine::update(size_t offset, std::ptrdiff_t count) {
  kernels_.sgd(parameters_.get() + offset, momentum_.get() + offset, gradients_.get() + offset,
               count, sgd_.lr, sgd_.momentum, sgd_.weight_decay);
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
  next_block_ = 0;
  team_.run([&](int thread) {
    for (int step = first; step < last; ++step) {
      const int begin = step * plan_.batch;
      const int count = std::min(plan_.batch, data.count() - begin);
      // Each counter is reset in the phase that does not use it.
      if (thread == 0) next_slice_ = 0;
      process_blocks(thread, count, [&](int b) {
        BlockSamples samples;
        samples.count = std::min(kLanes, count - b * kLanes);
        for (int n = 0; n < samples.count; ++n) {
          const size_t index = permutation(static_cast<uint32_t>(begin + b * kLanes + n));
          samples.images[n] = data.images.data() + index * kImagePixels;
          samples.labels[n] = data.labels[index];
        }
        return samples;
      });
      team_.barrier();
      if (thread == 0) {
        next_block_ = 0;
        steps[step - first] = sum_losses(count);
      }
      process_slices(blocks_of(count), true);
      team_.barrier();
    }
  });
  return steps;
}

std::vector<float> CpuEngine::gradients(std::span<const uint8_t> images,
                                        std::span<const uint8_t> labels) {
  const int count = static_cast<int>(labels.size());
  next_block_ = 0;
  next_slice_ = 0;
  team_.run([&](int thread) {
    process_blocks(thread, count,
                   [&](int b) { return consecutive(images.data(), labels.data(), b, count); });
    team_.barrier();
    process_slices(blocks_of(count), false);
  });
  return {gradients_.get(), gradients_.get() + plan_.parameter_floats};
}

// Takes images forward in blocks; take(pass, b, samples) reads off the result.
template <class Take>
void CpuEngine::forward_blocks(int count, const uint8_t* images, const uint8_t* labels,
                               const Take& take) {
  next_block_ = 0;
  team_.run([&](int thread) {
    BlockPass pass(layout_, kernels_, parameters_.get(), memory_[thread]);
    for (int b = next_block_++; b < blocks_of(count); b = next_block_++) {
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
