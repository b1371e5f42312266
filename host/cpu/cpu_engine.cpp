#include "host/cpu/cpu_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/shared/permutation.h"

namespace digitron {

namespace {

// Seconds from one lap to the next, the first from the start.
class StepClock {
 public:
  double lap() {
    const Clock::time_point now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

// How many blocks are on their way at once.
int blocks_on_their_way(const CpuLayout& layout, int batch, int threads) {
  const int of_threads = threads * layout.group_blocks;
  return layout.segment_count() > 1 ? std::max(of_threads, blocks_of(batch)) : of_threads;
}

}  // namespace

CpuEngine::CpuEngine(const Plan& plan, const ThreadRequest& threads, const CpuKernels& kernels)
    : plan_(plan),
      layout_(make_cpu_layout(plan)),
      kernels_(kernels),
      threads_(threads, useful_threads(layout_, plan.batch)),
      gradients_(make_aligned<float>(plan.parameter_floats)),
      block_memory_(layout_.sizes,
                    blocks_on_their_way(layout_, plan.batch, threads_.team().size())),
      batch_(layout_.sizes, blocks_of(plan.batch)),
      samples_(blocks_of(plan.batch)),
      losses_(blocks_of(plan.batch)) {
  configure({});
  for (int thread = 0; thread < threads_.team().size(); ++thread)
    memory_.emplace_back(layout_.sizes);
  set_state(State::kRunningStatistics, initial_buffers(plan));
}

EngineDescription CpuEngine::describe() const {
  return {.line = std::string("CPU, ") + kernels_.name + ", " + threads_.line(),
          .threads = threads_.training(),
          .threads_reason = threads_.reason()};
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

StagePass CpuEngine::stage_pass(Worker worker, const float* parameters,
                                const TrainingStep* step) const {
  return {kernels_, layout_.sizes, parameters, memory_[static_cast<size_t>(worker.index)], step};
}

// Calls f(blocks) for a thread's share of the blocks that have these samples, group by group. Which
// thread takes which is fixed, so that a block's memory stays in one core's cache. batch: null in
// evaluation.
template <class F>
void CpuEngine::for_each_group(Worker worker, std::span<const BlockSamples> samples,
                               const BatchMemory* batch, const F& f) {
  const bool memory_is_reused = !batch || layout_.segment_count() == 1;
  const Range mine = share(static_cast<int>(samples.size()), worker);
  for (int first = mine.first; first < mine.last; first += layout_.group_blocks) {
    const int count = std::min(layout_.group_blocks, mine.last - first);
    Block blocks[kGroupBlocks];
    for (int k = 0; k < count; ++k) {
      const auto place =
          static_cast<size_t>((memory_is_reused ? worker.index * layout_.group_blocks : first) + k);
      blocks[k] = {block_memory_.floats.get() + layout_.sizes.block_floats * place,
                   block_memory_.winners.get() + layout_.sizes.block_winners * place, batch,
                   first + k, &samples[static_cast<size_t>(first + k)]};
    }
    f(std::span<const Block>(blocks, static_cast<size_t>(count)));
  }
}

void CpuEngine::meet(StepRecorder* recorder) {
  threads_.team().barrier();
  mark(recorder, StepPart::kWaiting);
}

// Phase one of a step: the blocks of a batch. The last segment is gone through both ways at once.
void CpuEngine::forward_backward(Worker worker, const TrainingStep& step, StepRecorder* recorder) {
  const NetworkPass pass(layout_, stage_pass(worker, buffer(State::kParameters), &step), recorder);
  const auto samples =
      std::span<const BlockSamples>(samples_).first(static_cast<size_t>(blocks_of(step.count)));
  const int last = layout_.segment_count() - 1;
  for (int segment = 0; segment < last; ++segment) {
    for_each_group(worker, samples, &batch_,
                   [&](std::span<const Block> blocks) { pass.forward(segment, blocks); });
    const BatchNormStage& norm = layout_.norm(segment + 1);
    meet(recorder);
    norm.take_batch_statistics(pass.stage_pass(), batch_);
    if (worker.index == 0) {
      norm.update_running_statistics(buffer(State::kRunningStatistics), batch_, step.count);
    }
    mark(recorder, StepPart::kForward, static_cast<int>(layout_.segment_begin(segment + 1)));
  }
  for_each_group(worker, samples, &batch_, [&](std::span<const Block> blocks) {
    pass.forward(last, blocks);
    pass.loss_and_gradient(
        std::span(losses_).subspan(static_cast<size_t>(blocks.front().index), blocks.size()),
        blocks);
    pass.backward(last, blocks);
  });
  for (int segment = last - 1; segment >= 0; --segment) {
    if (layout_.segment_begin(segment + 1) <= layout_.first_trained) return;
    meet(recorder);
    layout_.norm(segment + 1).take_batch_sums(pass.stage_pass(), batch_);
    mark(recorder, StepPart::kBackward, static_cast<int>(layout_.segment_begin(segment + 1)));
    for_each_group(worker, samples, &batch_,
                   [&](std::span<const Block> blocks) { pass.backward(segment, blocks); });
  }
}

// Phase two: a thread's share of every stage's gradients and of their update.
void CpuEngine::update(Worker worker, int count, const StepRates& rates, StepRecorder* recorder) {
  const ParameterUpdate step(
      kernels_,
      {gradients_.get(), buffer(State::kParameters), buffer(State::kMomentum),
       buffer(State::kSecondMoment), buffer(State::kAverage)},
      training_.optimizer, rates);
  const GradientPass pass{
      kernels_,
      batch_,
      std::span<const BlockSamples>(samples_).first(static_cast<size_t>(blocks_of(count))),
      memory_[static_cast<size_t>(worker.index)],
      step,
      worker};
  for (size_t s = 0; s < layout_.stages.size(); ++s) {
    const auto gradients = [&](const auto& stage) {
      stage.gradients(pass);
      if (stage.kLearns) mark(recorder, StepPart::kUpdate, static_cast<int>(s));
    };
    std::visit(gradients, layout_.stages[s]);
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
void CpuEngine::take_samples(Worker worker, int epoch, int begin, int count,
                             const Permutation& permutation) {
  const Dataset& data = *train_;
  const Range mine = share(blocks_of(count), worker);
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
  return run_steps(epoch, first, rates, {});
}

Profile CpuEngine::profile(int epoch, int first, std::span<const StepRates> rates, bool trace) {
  std::vector<StepRecorder> recorders(static_cast<size_t>(threads_.training()));
  run_steps(epoch, first, rates, recorders);
  Profile profile = recorded_profile(recorders, timing_.seconds, layout_.names);
  if (trace) profile.trace = recorded_trace(recorders, first, layout_.names);
  return profile;
}

std::vector<Metrics> CpuEngine::run_steps(int epoch, int first, std::span<const StepRates> rates,
                                          std::span<StepRecorder> recorders) {
  require_trainable(plan_, train_->count());
  const Permutation permutation(training_.seed, static_cast<uint32_t>(epoch),
                                static_cast<uint32_t>(train_->count()), training_.shuffle);
  std::vector<Metrics> steps(rates.size());
  std::vector<double>& seconds = timing_.seconds;
  seconds.resize(rates.size());
  StepClock clock;
  const auto take_step = [&](Worker worker, size_t step, StepRecorder* recorder) {
    const int begin = (first + static_cast<int>(step)) * plan_.batch;
    const int count = std::min(plan_.batch, train_->count() - begin);
    take_samples(worker, epoch, begin, count, permutation);
    mark(recorder, StepPart::kGather);
    const uint32_t number =
        global_step(epoch, first + static_cast<int>(step), train_->count(), plan_.batch);
    forward_backward(worker, {count, training_.label_smoothing, training_.seed, number}, recorder);
    meet(recorder);
    if (worker.index == 0) {
      steps[step] = sum_losses(count);
      mark(recorder, StepPart::kLoss);
    }
    update(worker, count, rates[step], recorder);
    meet(recorder);
    if (recorder) recorder->end_step();
    if (worker.index == 0) seconds[step] = clock.lap();
  };
  ThreadTuner& tuner = threads_.tuner();
  for (size_t done = 0; done < rates.size();) {
    const bool profiled = !recorders.empty();  // by as many threads all the time
    const size_t piece = profiled ? rates.size() : std::min(tuner.steps(), rates.size() - done);
    threads_.team().run(profiled ? threads_.training() : tuner.threads(), [&](Worker worker) {
      StepRecorder* const recorder =
          profiled ? &recorders[static_cast<size_t>(worker.index)] : nullptr;
      if (recorder) recorder->begin(piece);
      for (size_t i = 0; i < piece; ++i) take_step(worker, done + i, recorder);
    });
    if (!profiled) tuner.took(std::span(seconds).subspan(done, piece));
    done += piece;
  }
  return steps;
}

}  // namespace digitron
