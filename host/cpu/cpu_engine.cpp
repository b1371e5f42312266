#include "host/cpu/cpu_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "host/cpu/thread_work.h"
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

// Crews are of two threads or more, so that half of a thread's number is a crew's own.
int crew_place(const BlockShare& share) {
  return share.first_in_crew / 2;
}
int most_crews(int threads) {
  return threads / 2;
}

// How many blocks are on their way at once: each thread's, then each crew's.
int passing_blocks(const CpuLayout& layout, int threads) {
  return threads * layout.group_blocks + most_crews(threads);
}

// And how many find again what they have kept: all of the batch, or those same ones.
int kept_blocks(const CpuLayout& layout, int batch, int threads) {
  const int passing = passing_blocks(layout, threads);
  return layout.segment_count() > 1 ? std::max(passing, blocks_of(batch)) : passing;
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

uint64_t cpu_engine_bytes(const Plan& plan, const ThreadRequest& request) {
  const CpuLayout layout = make_cpu_layout(plan);
  const MemorySizes& sizes = layout.sizes;
  const int threads = useful_threads(layout, plan.batch, most_threads(request));
  const auto blocks = static_cast<uint64_t>(blocks_of(plan.batch));
  const auto passing = static_cast<uint64_t>(passing_blocks(layout, threads));
  const auto kept = static_cast<uint64_t>(kept_blocks(layout, plan.batch, threads));
  const uint64_t floats =
      2 * kStateCount * plan.parameter_floats +  // the states, and once more to save them
      plan.parameter_floats + passing * sizes.passing_floats + kept * sizes.kept_floats +
      blocks * (sizes.batch_floats + sizes.batch_partials) +
      static_cast<uint64_t>(threads) * (sizes.strip_floats + sizes.constants_floats);
  return floats * sizeof(float) + kept * sizes.kept_winners * sizeof(uint16_t) +
         blocks * sizes.batch_moments * sizeof(Moments);
}

CpuEngine::CpuEngine(const Plan& plan, const ThreadRequest& threads, const CpuKernels& kernels)
    : plan_(plan),
      form_(pixel_form(plan.model.task)),
      layout_(make_cpu_layout(plan)),
      kernels_(kernels),
      threads_(threads, useful_threads(layout_, plan.batch, most_threads(threads))),
      gradients_(make_aligned<float>(plan.parameter_floats)),
      block_memory_(layout_.sizes, passing_blocks(layout_, threads_.team().size()),
                    kept_blocks(layout_, plan.batch, threads_.team().size())),
      batch_(layout_.sizes, blocks_of(plan.batch)),
      samples_(blocks_of(plan.batch)),
      losses_(blocks_of(plan.batch)),
      crew_barriers_(static_cast<size_t>(most_crews(threads_.team().size()))) {
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
    augmented_ = make_aligned<uint8_t>(static_cast<size_t>(plan_.batch) * plan_.pixels());
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

StagePass CpuEngine::stage_pass(Worker worker, const float* parameters, const TrainingStep* step,
                                StepRecorder* recorder) const {
  return {kernels_, layout_.sizes, parameters, memory_[static_cast<size_t>(worker.index)],
          step,     recorder};
}

// place: in the memory of blocks on their way. batch: null in evaluation.
Block CpuEngine::block_at(int place, const BatchMemory* batch, int index,
                          const BlockSamples& samples) const {
  const MemorySizes& sizes = layout_.sizes;
  const bool has_its_own = batch && layout_.segment_count() > 1;
  const auto passing = static_cast<size_t>(place);
  const auto kept = static_cast<size_t>(has_its_own ? index : place);
  return {block_memory_.passing.get() + sizes.passing_floats * passing,
          block_memory_.kept.get() + sizes.kept_floats * kept,
          block_memory_.winners.get() + sizes.kept_winners * kept,
          batch,
          index,
          &samples};
}

// The block of the batch that is left for a thread's crew. A crew has memory of its own, so that
// each thread finds there what it wrote itself.
Block CpuEngine::left_block(Worker worker, const BlockShare& mine) const {
  const int place = mine.has_crew() ? worker.count * layout_.group_blocks + crew_place(mine)
                                    : worker.index * layout_.group_blocks;
  return block_at(place, &batch_, mine.left, samples_[static_cast<size_t>(mine.left)]);
}

// Calls f(blocks) for a thread's own blocks of the batch, group by group.
template <class F>
void CpuEngine::for_each_group(Worker worker, Range mine, const F& f) {
  for (int first = mine.first; first < mine.last; first += layout_.group_blocks) {
    const int count = std::min(layout_.group_blocks, mine.last - first);
    Block blocks[kGroupBlocks];
    for (int k = 0; k < count; ++k) {
      blocks[k] = block_at(worker.index * layout_.group_blocks + k, &batch_, first + k,
                           samples_[static_cast<size_t>(first + k)]);
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
    for_each_group(worker, mine.whole, [&](std::span<const Block> blocks) { f(pass, blocks); });
    if (mine.left < 0) return;
    const Block left = left_block(worker, mine);
    f(crew_pass, std::span(&left, 1));
  };
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
      layout_.pixels,
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

// The sample of a row of the batch that begins at position `begin` of the epoch.
void CpuEngine::take_sample(int row, int epoch, int begin, const Permutation& permutation) {
  const uint32_t index = permutation(static_cast<uint32_t>(begin + row));
  BlockSamples& samples = samples_[static_cast<size_t>(row / kLanes)];
  const uint8_t*& image = samples.images[row % kLanes];
  image = train_->images.data() + static_cast<size_t>(index) * plan_.pixels();
  samples.labels[row % kLanes] = train_->labels[index];
  if (!training_.augmentation.any()) return;
  uint8_t* augmented = augmented_.get() + static_cast<size_t>(row) * plan_.pixels();
  augment_channels(
      kernels_, augmented, image, form_,
      draw_map(training_.augmentation, form_, training_.seed, static_cast<uint32_t>(epoch), index));
  image = augmented;
}

// A thread's blocks of the batch of `count` samples, and its part of its crew's.
void CpuEngine::take_samples(Worker worker, int epoch, int begin, int count,
                             const Permutation& permutation) {
  const auto take = [&](int b, Worker part) {
    const int in_block = std::min(kLanes, count - b * kLanes);
    if (part.index == 0) samples_[static_cast<size_t>(b)].count = in_block;
    const Range rows = share(in_block, part);
    for (int n = rows.first; n < rows.last; ++n) {
      take_sample(b * kLanes + n, epoch, begin, permutation);
    }
  };
  const BlockShare mine = share_blocks(blocks_of(count), worker);
  for (int b = mine.whole.first; b < mine.whole.last; ++b) take(b, {0, 1});
  if (mine.left >= 0) take(mine.left, mine.part);
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
