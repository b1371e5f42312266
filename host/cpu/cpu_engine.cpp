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
      pass_memory_(layout_, pass_blocks(layout_, plan.batch, threads)),
      batch_(layout_, blocks_of(plan.batch)),
      samples_(blocks_of(plan.batch)),
      losses_(blocks_of(plan.batch)),
      team_(threads) {
  configure({});
  for (int thread = 0; thread < threads; ++thread) memory_.emplace_back(layout_);
  set_state(State::kRunningStatistics, initial_buffers(plan));
}

std::string CpuEngine::description() const {
  const int threads = team_.size();
  return std::string("CPU, ") + kernels_.name + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

void CpuEngine::load(std::shared_ptr<const Dataset> train,
                     std::shared_ptr<const Dataset> held_out) {
  train_ = std::move(train);
  held_out_ = std::move(held_out);
}

void CpuEngine::configure(const Training& training) {
  training_ = training;
  for (const State which : kStates) {
    AlignedArray<float>& values = state_[static_cast<size_t>(which)];
    if (!uses(training.optimizer, which)) {
      values.reset();
    } else if (!values) {
      values = make_aligned<float>(state_floats(plan_, which));
      if (which == State::kAverage) {
        std::copy_n(buffer(State::kParameters), plan_.parameter_floats, values.get());
      }
    }
  }
  if (training.augmentation.any() && !augmented_) {
    augmented_ = make_aligned<uint8_t>(static_cast<size_t>(plan_.batch) * kImagePixels);
  }
}

void CpuEngine::set_state(State which, std::span<const float> values) {
  if (float* kept = buffer(which)) std::copy(values.begin(), values.end(), kept);
}

std::vector<float> CpuEngine::state(State which) const {
  const float* kept = buffer(which);
  const size_t count = state_floats(plan_, which);
  return kept ? std::vector<float>(kept, kept + count) : std::vector<float>(count);
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
void CpuEngine::meet_forward(int thread, const TrainingStep& step, const Stage& stage) {
  team_.barrier();
  take_batch_statistics(memory_[thread].constants_of(stage), layout_, stage, batch_,
                        buffer(State::kParameters), step.count);
  if (thread == 0) {
    update_running_statistics(buffer(State::kRunningStatistics), layout_, stage, batch_,
                              step.count);
  }
}

// Phase one of a step: the blocks of a batch. Which thread takes which is fixed, so that a block's
// memory stays in one core's cache. The last segment is gone through both ways at once.
void CpuEngine::forward_backward(int thread, const TrainingStep& step) {
  BlockPass pass(layout_, kernels_, buffer(State::kParameters), memory_[thread], pass_memory_,
                 &step);
  const int last = layout_.segment_count() - 1;
  const auto stage_at = [&](int segment) -> const Stage& {
    return layout_.stages[static_cast<size_t>(layout_.segments[static_cast<size_t>(segment)])];
  };
  for (int segment = 0; segment < last; ++segment) {
    for_each_group(pass, thread, step.count, [&](size_t, size_t) { pass.forward(segment); });
    meet_forward(thread, step, stage_at(segment + 1));
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
      if (!training_.augmentation.any()) continue;
      uint8_t* augmented = augmented_.get() + static_cast<size_t>(row) * kImagePixels;
      kernels_.augment_image(
          augmented, samples.images[n],
          draw_map(training_.augmentation, training_.seed, static_cast<uint32_t>(epoch), index));
      samples.images[n] = augmented;
    }
  }
}

std::vector<Metrics> CpuEngine::train(int epoch, int first, std::span<const StepRates> rates) {
  require_trainable(plan_, train_->count());
  const Permutation permutation(training_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(train_->count()), training_.shuffle);
  std::vector<Metrics> steps(rates.size());
  team_.run([&](int thread) {
    for (size_t step = 0; step < rates.size(); ++step) {
      const int begin = (first + static_cast<int>(step)) * plan_.batch;
      const int count = std::min(plan_.batch, train_->count() - begin);
      take_samples(thread, epoch, begin, count, permutation);
      const uint32_t number =
          global_step(epoch, first + static_cast<int>(step), train_->count(), plan_.batch);
      forward_backward(thread, {batch_, count, training_.label_smoothing, training_.seed, number});
      team_.barrier();
      if (thread == 0) steps[step] = sum_losses(count);
      make_gradients(thread, blocks_of(count), rates[step]);
      team_.barrier();
    }
  });
  return steps;
}

// Takes images forward in blocks, in evaluation; take(pass, k, b, samples) reads the result of
// block b off the pass, where it is the k-th of its group.
template <class Take>
void CpuEngine::forward_blocks(int count, const uint8_t* images, const uint8_t* labels,
                               const Take& take) {
  team_.run([&](int thread) {
    BlockPass pass(layout_, kernels_, evaluated_parameters(), memory_[thread], pass_memory_,
                   nullptr);
    for (const Stage& stage : layout_.stages) {
      if (stage.kind != Stage::Kind::kBatchNorm) continue;
      take_running_statistics(memory_[thread].constants_of(stage), stage,
                              buffer(State::kRunningStatistics), evaluated_parameters());
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
  const Dataset& data = split == Split::kTrain ? *train_ : *held_out_;
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
