// The CPU engine's training: steps, and their phases.
#include <algorithm>
#include <chrono>
#include <utility>

#include "host/cpu/cpu_engine.h"

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

// Crews are of two threads or more, so that half of a thread's number is a crew's own.
int crew_place(const BlockShare& share) {
  return share.first_in_crew / 2;
}

// Every channel of an image through the map.
void augment_channels(const CpuKernels& kernels, uint8_t* out, const uint8_t* image,
                      const PixelForm& form, const AffineMap& map) {
  for (int c = 0; c < form.channels; ++c, out += form.plane(), image += form.plane()) {
    if (can_augment(form.height, form.width)) {
      kernels.augment_image(out, image, form.height, form.width, map);
      continue;
    }
    for (int i = 0; i < form.plane(); ++i) {
      out[i] = sample(image, form, map, i / form.width, i % form.width);
    }
  }
}

}  // namespace

// The block of the batch that is left for a thread's crew. A crew has memory of its own, so that
// each thread finds there what it wrote itself.
Block CpuEngine::left_block(Worker worker, std::span<const BlockSamples> samples,
                            const BlockShare& mine) const {
  const int place = mine.has_crew() ? worker.count * layout_.group_blocks + crew_place(mine)
                                    : worker.index * layout_.group_blocks;
  return block_at(place, &batch_, mine.left, samples[static_cast<size_t>(mine.left)]);
}

// Calls f(blocks) for these blocks of the batch, group by group, in the thread's own memory.
template <class F>
void CpuEngine::for_each_group(Worker worker, std::span<const BlockSamples> samples, Range taken,
                               const F& f) {
  for (int first = taken.first; first < taken.last; first += layout_.group_blocks) {
    const int count = std::min(layout_.group_blocks, taken.last - first);
    Block blocks[kGroupBlocks];
    for (int k = 0; k < count; ++k) {
      blocks[k] = block_at(worker.index * layout_.group_blocks + k, &batch_, first + k,
                           samples[static_cast<size_t>(first + k)]);
    }
    f(std::span<const Block>(blocks, static_cast<size_t>(count)));
  }
}

void CpuEngine::meet(StepRecorder* recorder) {
  threads_.team().barrier();
  mark(recorder, StepPart::kWaiting);
}

// What a step begins with where the first layer is linear: a thread's share of its sums. They need
// none but the thread's own weights, so that it goes on to the next step's as soon as it has
// updated them, without a meeting in between.
void CpuEngine::forward_by_columns(Worker worker, std::span<const BlockSamples> samples,
                                   const TrainingStep& step, StepRecorder* recorder) {
  if (!layout_.first_linear()) return;
  NetworkPass pass(layout_, stage_pass(worker, buffer(State::kParameters), &step, recorder));
  for_each_group(worker, samples, {0, static_cast<int>(samples.size())},
                 [&](std::span<const Block> blocks) { pass.forward_by_columns(worker, blocks); });
}

// Phase one of a step: the blocks of a batch. The last segment is gone through both ways at once.
void CpuEngine::forward_backward(Worker worker, std::span<const BlockSamples> samples,
                                 const TrainingStep& step, StepRecorder* recorder) {
  const StagePass alone = stage_pass(worker, buffer(State::kParameters), &step, recorder);
  StagePass in_crew = alone;
  const BlockShare mine = share_blocks(blocks_of(step.count), worker);
  if (mine.has_crew()) {
    in_crew.part = mine.part;
    in_crew.barrier = &crew_barriers_[static_cast<size_t>(crew_place(mine))];
  }
  NetworkPass pass(layout_, alone);
  NetworkPass crew_pass(layout_, in_crew);
  // Calls f(pass, blocks) for all that the thread takes, alone and in its crew.
  const auto for_all = [&](const auto& f) {
    for_each_group(worker, samples, mine.whole,
                   [&](std::span<const Block> blocks) { f(pass, blocks); });
    if (mine.left < 0) return;
    const Block left = left_block(worker, samples, mine);
    f(crew_pass, std::span(&left, 1));
  };
  pass.prepare();
  const int last = layout_.segment_count() - 1;
  for (int segment = 0; segment < last; ++segment) {
    for_all([&](NetworkPass& way, std::span<const Block> blocks) { way.forward(segment, blocks); });
    const BatchNormStage& norm = layout_.norm(segment + 1);
    meet(recorder);
    norm.take_batch_statistics(alone, batch_);
    if (worker.index == 0) {
      norm.update_running_statistics(buffer(State::kRunningStatistics), batch_, step.count);
    }
    mark(recorder, StepPart::kForward, static_cast<int>(layout_.segment_begin(segment + 1)));
  }
  for_all([&](NetworkPass& way, std::span<const Block> blocks) {
    way.forward(last, blocks);
    way.loss_and_gradient(
        std::span(losses_).subspan(static_cast<size_t>(blocks.front().index), blocks.size()),
        blocks);
    way.backward(last, blocks);
  });
  for (int segment = last - 1; segment >= 0; --segment) {
    if (layout_.segment_begin(segment + 1) <= layout_.first_trained) return;
    meet(recorder);
    layout_.norm(segment + 1).take_batch_sums(alone, batch_);
    mark(recorder, StepPart::kBackward, static_cast<int>(layout_.segment_begin(segment + 1)));
    for_all(
        [&](NetworkPass& way, std::span<const Block> blocks) { way.backward(segment, blocks); });
  }
}

// Phase two: a thread's share of every stage's gradients and of their update.
void CpuEngine::update(Worker worker, std::span<const BlockSamples> samples, const StepRates& rates,
                       StepRecorder* recorder) {
  const ParameterUpdate step(
      kernels_,
      {gradients_.get(), buffer(State::kParameters), buffer(State::kMomentum),
       buffer(State::kSecondMoment), buffer(State::kAverage)},
      training_.optimizer, rates);
  const GradientPass pass{
      kernels_, batch_, samples, layout_.pixels, memory_[static_cast<size_t>(worker.index)],
      step,     worker};
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

int CpuEngine::count_of(int step) const {
  return std::min(plan_.batch, train_->count() - step * plan_.batch);
}

std::span<BlockSamples> CpuEngine::samples_of(int step) {
  const auto blocks = static_cast<size_t>(blocks_of(plan_.batch));
  return std::span(samples_).subspan(static_cast<size_t>(step % 2) * blocks,
                                     static_cast<size_t>(blocks_of(count_of(step))));
}

// A thread's share of a step's samples, which all may read once they have met.
void CpuEngine::take_samples(Worker worker, int epoch, int step, const Permutation& permutation) {
  const std::span<BlockSamples> samples = samples_of(step);
  const Range rows = share(count_of(step), worker);
  for (int row = rows.first; row < rows.last; ++row) {
    const uint32_t index = permutation(static_cast<uint32_t>(step * plan_.batch + row));
    BlockSamples& block = samples[static_cast<size_t>(row / kLanes)];
    if (row % kLanes == 0) block.count = std::min(kLanes, count_of(step) - row);
    const uint8_t*& image = block.images[row % kLanes];
    image = train_->images.data() + static_cast<size_t>(index) * plan_.pixels();
    block.labels[row % kLanes] = train_->labels[index];
    if (!training_.augmentation.any()) continue;
    uint8_t* augmented =
        augmented_.get() + (static_cast<size_t>(step % 2) * plan_.batch + row) * plan_.pixels();
    augment_channels(kernels_, augmented, image, form_,
                     draw_map(training_.augmentation, form_, training_.seed,
                              static_cast<uint32_t>(epoch), index));
    image = augmented;
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
  const auto look_ahead = [&](Worker worker, size_t step, StepRecorder* recorder) {
    take_samples(worker, epoch, first + static_cast<int>(step), permutation);
    mark(recorder, StepPart::kGather);
  };
  const auto training_step = [&](size_t step) -> TrainingStep {
    const int of_epoch = first + static_cast<int>(step);
    return {count_of(of_epoch), training_.label_smoothing, training_.seed,
            global_step(epoch, of_epoch, train_->count(), plan_.batch)};
  };
  const auto first_sums = [&](Worker worker, size_t step, StepRecorder* recorder) {
    forward_by_columns(worker, samples_of(first + static_cast<int>(step)), training_step(step),
                       recorder);
    meet(recorder);
  };
  const auto take_step = [&](Worker worker, size_t step, bool last, StepRecorder* recorder) {
    const std::span<const BlockSamples> samples = samples_of(first + static_cast<int>(step));
    const TrainingStep how = training_step(step);
    if (!last) look_ahead(worker, step + 1, recorder);
    forward_backward(worker, samples, how, recorder);
    meet(recorder);
    if (worker.index == 0) {
      steps[step] = sum_losses(how.count);
      mark(recorder, StepPart::kLoss);
    }
    update(worker, samples, rates[step], recorder);
    if (last) {
      meet(recorder);
    } else {
      first_sums(worker, step + 1, recorder);
    }
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
      look_ahead(worker, done, recorder);
      meet(recorder);
      first_sums(worker, done, recorder);
      for (size_t i = 0; i < piece; ++i) take_step(worker, done + i, i + 1 == piece, recorder);
    });
    if (!profiled) tuner.took(std::span(seconds).subspan(done, piece));
    done += piece;
  }
  return steps;
}

}  // namespace digitron
