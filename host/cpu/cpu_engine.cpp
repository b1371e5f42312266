#include "host/cpu/cpu_engine.h"

#include <algorithm>
#include <utility>

#include "host/cpu/thread_work.h"

namespace digitron {

namespace {

// Crews are of two threads or more.
int most_crews(int threads) {
  return threads / 2;
}

// How many blocks are on their way at once: each thread's, then, in training, each crew's.
int passing_blocks(const CpuLayout& layout, int threads) {
  return std::max(threads * layout.group_blocks + most_crews(threads),
                  threads * layout.evaluated_blocks());
}

// And how many find again what they have kept: all of the batch, or those same ones.
int kept_blocks(const CpuLayout& layout, int batch, int threads) {
  const int passing = passing_blocks(layout, threads);
  return layout.segment_count() > 1 ? std::max(passing, blocks_of(batch)) : passing;
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
      samples_(2 * blocks_of(plan.batch)),
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
    augmented_ = make_aligned<uint8_t>(size_t{2} * plan_.batch * plan_.pixels());
  }
}

// The stage that keeps such states in an order of its own; null where all are in the plan's.
const LinearStage* CpuEngine::ordered_stage(State which) const {
  return which == State::kRunningStatistics ? nullptr : layout_.first_linear();
}

void CpuEngine::set_state(State which, std::span<const float> values) {
  float* kept = buffer(which);
  if (!kept) return;
  std::copy(values.begin(), values.end(), kept);
  if (const LinearStage* stage = ordered_stage(which)) stage->to_stored_order(kept, values.data());
}

std::vector<float> CpuEngine::state(State which) const {
  const float* kept = buffer(which);
  const size_t count = state_floats(plan_, which);
  if (!kept) return std::vector<float>(count);
  std::vector<float> values(kept, kept + count);
  if (const LinearStage* stage = ordered_stage(which)) stage->to_plan_order(values.data(), kept);
  return values;
}

StagePass CpuEngine::stage_pass(Worker worker, const float* parameters, const TrainingStep* step,
                                StepRecorder* recorder) const {
  return {kernels_,
          layout_.sizes,
          parameters,
          memory_[static_cast<size_t>(worker.index)],
          step,
          recorder,
          step ? worker.count : 1};
}

// place: in the memory of blocks on their way. batch: null in evaluation.
Block CpuEngine::block_at(int place, const BatchMemory* batch, int index,
                          const BlockSamples& samples) const {
  const MemorySizes& sizes = layout_.sizes;
  const bool has_its_own = batch && layout_.segment_count() > 1;
  const auto passing = static_cast<size_t>(place);
  const auto kept = static_cast<size_t>(has_its_own ? index : place);
  Block block{block_memory_.passing.get() + sizes.passing_floats * passing,
              block_memory_.kept.get() + sizes.kept_floats * kept,
              block_memory_.winners.get() + sizes.kept_winners * kept,
              batch,
              index,
              &samples};
  const int blocks = blocks_of(plan_.batch);
  if (has_its_own && index + 1 < blocks && sizes.kept_floats * size_t(blocks) > kCachedFloats) {
    block.next = {block.kept + sizes.kept_floats, std::ptrdiff_t(sizes.kept_floats / kLineFloats)};
  }
  return block;
}

}  // namespace digitron
