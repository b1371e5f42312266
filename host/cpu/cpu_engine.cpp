#include "host/cpu/cpu_engine.h"

#include <algorithm>

#include "host/cpu/arch.h"
#include "host/cpu/statistics.h"
#include "host/shared/permutation.h"

namespace digitron {

namespace {

int blocks_of(int count) {
  return (count + kLanes - 1) / kLanes;
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

// How many blocks are on their way at once.
int pass_blocks(const CpuLayout& layout, int batch, int threads) {
  const int of_threads = threads * layout.group_blocks;
  return layout.segment_count() > 1 ? std::max(of_threads, blocks_of(batch)) : of_threads;
}

}  // namespace

CpuEngine::CpuEngine(const Plan& plan, int threads, const CpuKernels& kernels)
    : plan_(plan),
      layout_(make_cpu_layout(plan)),
      kernels_(kernels),
      gradients_(make_aligned<float>(plan.parameter_floats)),
      buffers_(make_aligned<float>(plan.buffer_floats)),
      pass_memory_(layout_, pass_blocks(layout_, plan.batch, threads)),
      batch_(layout_, blocks_of(plan.batch)),
      samples_(blocks_of(plan.batch)),
      losses_(blocks_of(plan.batch)),
      team_(threads) {
  set_optimizer({});
  for (int thread = 0; thread < threads; ++thread) memory_.emplace_back(layout_);
  set_buffers(initial_buffers(plan));
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

void CpuEngine::set_state(FlatState which, std::span<const float> values) {
  if (float* buffer = flat(which)) std::copy(values.begin(), values.end(), buffer);
}

std::vector<float> CpuEngine::state(FlatState which) const {
  const float* buffer = flat(which);
  if (!buffer) return std::vector<float>(plan_.parameter_floats);
  return {buffer, buffer + plan_.parameter_floats};
}

void CpuEngine::set_augmentation(const Augmentation& limits) {
  augmentation_ = limits;
  if (limits.any() && !augmented_) {
    augmented_ = make_aligned<uint8_t>(static_cast<size_t>(plan_.batch) * kImagePixels);
  }
}

void CpuEngine::set_optimizer(const Optimizer& optimizer) {
  optimizer_ = optimizer;
  for (const FlatState which : kFlatStates) {
    AlignedArray<float>& buffer = state_[static_cast<size_t>(which)];
    if (!uses(optimizer, which)) buffer.reset();
    if (uses(optimizer, which) && !buffer) buffer = make_aligned<float>(plan_.parameter_floats);
  }
}

const float* CpuEngine::evaluated() const {
  return flat(optimizer_.average_decay > 0 ? FlatState::kAverage : FlatState::kParameters);
}

void CpuEngine::set_buffers(std::span<const float> buffers) {
  std::copy(buffers.begin(), buffers.end(), buffers_.get());
}

std::vector<float> CpuEngine::buffers() const {
  return {buffers_.get(), buffers_.get() + plan_.buffer_floats};
}

// Calls f(first block, how many) for a thread's share of the blocks, group by group.
template <class F>
void CpuEngine::for_each_group(int thread, int blocks, const F& f) const {
  const Range mine = share(blocks, thread, team_.size());
  for (int b = mine.first; b < mine.last; b += layout_.group_blocks) {
    f(b, std::min(layout_.group_blocks, mine.last - b));
  }
}

// Calls f(first block, how many) when the pass has taken them, for a thread's share of a batch of
// `count` samples.
template <class F>
void CpuEngine::for_each_group(BlockPass& pass, int thread, int count, const F& f) {
  const bool reused = layout_.segment_count() == 1;
  for_each_group(thread, blocks_of(count), [&](int b, int blocks) {
    const auto first = static_cast<size_t>(b);
    pass.take(std::span(samples_).subspan(first, static_cast<size_t>(blocks)), b,
              reused ? thread * layout_.group_blocks : b);
    f(first, static_cast<size_t>(blocks));
  });
}

// All threads have been here: the batch normalisation at which the next segment begins knows its
// batch.
void CpuEngine::meet_forward(int thread, const TrainingStep& step, const Stage& stage,
                             bool update) {
  team_.barrier();
  take_batch_statistics(memory_[thread].constants_of(stage), layout_, stage, batch_,
                        flat(FlatState::kParameters), step.count);
  if (update && thread == 0) {
    update_running_statistics(buffers_.get(), layout_, stage, batch_, step.count);
  }
}

// Phase one of a step: the blocks of a batch. Which thread takes which is fixed, so that a block's
// memory stays in one core's cache. The last segment is gone through both ways at once.
void CpuEngine::forward_backward(int thread, const TrainingStep& step, bool update) {
  BlockPass pass(layout_, kernels_, flat(FlatState::kParameters), memory_[thread], pass_memory_,
                 &step);
  const int last = layout_.segment_count() - 1;
  const auto stage_at = [&](int segment) -> const Stage& {
    return layout_.stages[static_cast<size_t>(layout_.segments[static_cast<size_t>(segment)])];
  };
  for (int segment = 0; segment < last; ++segment) {
    for_each_group(pass, thread, step.count, [&](size_t, size_t) { pass.forward(segment); });
    meet_forward(thread, step, stage_at(segment + 1), update);
  }
  for_each_group(pass, thread, step.count, [&](size_t first, size_t blocks) {
    pass.forward(last);
    pass.turn(std::span(losses_).subspan(first, blocks));
    pass.backward(last);
  });
  for (int segment = last - 1; segment >= 0; --segment) {
    if (layout_.segments[static_cast<size_t>(segment) + 1] <= layout_.first_trained) return;
    team_.barrier();
    take_batch_sums(memory_[thread].constants_of(stage_at(segment + 1)), layout_,
                    stage_at(segment + 1), batch_, step.count);
    for_each_group(pass, thread, step.count, [&](size_t, size_t) { pass.backward(segment); });
  }
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

// A thread's blocks of the batch of `count` samples that begins at position `begin` of the epoch.
void CpuEngine::take_samples(int thread, int epoch, int begin, int count,
                             const Permutation& permutation) {
  const Dataset& data = *train_;
  const Range mine = share(blocks_of(count), thread, team_.size());
  for (int b = mine.first; b < mine.last; ++b) {
    BlockSamples& samples = samples_[b];
    samples.count = std::min(kLanes, count - b * kLanes);
    for (int n = 0; n < samples.count; ++n) {
      const int row = b * kLanes + n;
      const uint32_t index = permutation(static_cast<uint32_t>(begin + row));
      samples.images[n] = data.images.data() + static_cast<size_t>(index) * kImagePixels;
      samples.labels[n] = data.labels[index];
      if (!augmentation_.any()) continue;
      uint8_t* augmented = augmented_.get() + static_cast<size_t>(row) * kImagePixels;
      kernels_.augment_image(
          augmented, samples.images[n],
          draw_map(augmentation_, order_.seed, static_cast<uint32_t>(epoch), index));
      samples.images[n] = augmented;
    }
  }
}

std::vector<Metrics> CpuEngine::train(int epoch, int first, std::span<const StepRates> rates) {
  require_trainable(plan_, train_->count());
  const Permutation permutation(order_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(train_->count()), order_.shuffle);
  std::vector<Metrics> steps(rates.size());
  team_.run([&](int thread) {
    for (size_t step = 0; step < rates.size(); ++step) {
      const int begin = (first + static_cast<int>(step)) * plan_.batch;
      const int count = std::min(plan_.batch, train_->count() - begin);
      take_samples(thread, epoch, begin, count, permutation);
      const uint32_t number =
          global_step(epoch, first + static_cast<int>(step), train_->count(), plan_.batch);
      forward_backward(thread, {batch_, count, smoothing_, order_.seed, number}, true);
      team_.barrier();
      if (thread == 0) steps[step] = sum_losses(count);
      make_gradients(thread, blocks_of(count), &rates[step]);
      team_.barrier();
    }
  });
  return steps;
}

std::vector<float> CpuEngine::gradients(std::span<const uint8_t> images,
                                        std::span<const uint8_t> labels) {
  const int count = static_cast<int>(labels.size());
  require_trainable(plan_, count);
  for (int b = 0; b < blocks_of(count); ++b) {
    samples_[b] = consecutive(images.data(), labels.data(), b, count);
  }
  team_.run([&](int thread) {
    forward_backward(thread, {batch_, count, smoothing_, order_.seed, 0}, false);
    team_.barrier();
    make_gradients(thread, blocks_of(count), nullptr);
  });
  return {gradients_.get(), gradients_.get() + plan_.parameter_floats};
}

// Takes images forward in blocks, in evaluation; take(pass, k, b, samples) reads the result of
// block b off the pass, where it is the k-th of its group.
template <class Take>
void CpuEngine::forward_blocks(int count, const uint8_t* images, const uint8_t* labels,
                               const Take& take) {
  team_.run([&](int thread) {
    BlockPass pass(layout_, kernels_, evaluated(), memory_[thread], pass_memory_, nullptr);
    for (const Stage& stage : layout_.stages) {
      if (stage.kind != Stage::Kind::kBatchNorm) continue;
      take_running_statistics(memory_[thread].constants_of(stage), stage, buffers_.get(),
                              evaluated());
    }
    for_each_group(thread, blocks_of(count), [&](int first, int blocks) {
      BlockSamples samples[kGroupBlocks];
      for (int k = 0; k < blocks; ++k) {
        samples[k] = consecutive(images, labels, first + k, count);
      }
      pass.take(std::span(samples).first(static_cast<size_t>(blocks)), first,
                thread * layout_.group_blocks);
      pass.forward();
      for (int k = 0; k < blocks; ++k) take(pass, k, first + k, samples[k]);
    });
  });
}

Metrics CpuEngine::evaluate(Split split) {
  const Dataset& data = split == Split::kTrain ? *train_ : *test_;
  std::vector<Metrics> parts(blocks_of(data.count()));
  forward_blocks(data.count(), data.images.data(), data.labels.data(),
                 [&](BlockPass& pass, int k, int b, const BlockSamples& samples) {
                   BlockLosses losses;
                   pass.loss(losses, k);
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
                 [&](BlockPass& pass, int k, int b, const BlockSamples& samples) {
                   const float* logits_of_block = pass.logits(k);
                   for (int n = 0; n < samples.count; ++n) {
                     float* row = logits.data() + (static_cast<size_t>(b) * kLanes + n) * kClasses;
                     for (int c = 0; c < kClasses; ++c) row[c] = logits_of_block[c * kLanes + n];
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
