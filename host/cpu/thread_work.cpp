#include "host/cpu/thread_work.h"

#include <algorithm>

#include "host/core/devices.h"
#include "host/cpu/block_share.h"

namespace digitron {

namespace {

constexpr Worker kAlone{0, 1};

// work(stage) summed over stages, for the samples of a block.
template <class F>
int64_t sum_over(std::span<const Stage> stages, const F& work) {
  int64_t sum = 0;
  for (const Stage& stage : stages) sum += std::visit(work, stage);
  return sum * kLanes;
}

int64_t block_work(const CpuLayout& layout, Worker part) {
  const auto forward = [&](const auto& stage) { return stage.forward_work(part); };
  const auto backward = [&](const auto& stage) { return stage.backward_work(part); };
  const std::span stages(layout.stages);
  const size_t repeated = layout.repeats_first_segment() ? layout.segment_begin(1) : 0;
  return sum_over(stages, forward) + sum_over(stages, backward) +
         sum_over(stages.first(repeated), forward);
}

int64_t gradient_work(const CpuLayout& layout, Worker worker) {
  return sum_over(layout.stages, [&](const auto& stage) { return stage.gradient_work(worker); });
}

// A first linear layer's sums are shared as its gradients are, in the same phase.
int64_t sums_work(const CpuLayout& layout, Worker worker) {
  const LinearStage* linear = layout.first_linear();
  return linear ? linear->gradient_work(worker) * kLanes : 0;
}

}  // namespace

int64_t longest_work(const CpuLayout& layout, int batch, int threads) {
  const int blocks = blocks_of(batch);
  const int64_t whole = block_work(layout, kAlone);
  int64_t longest = 0;
  int64_t longest_gradients = 0;
  for (int index = 0; index < threads; ++index) {
    const Worker worker{index, threads};
    const BlockShare mine = share_blocks(blocks, worker);
    const int64_t left = mine.left < 0 ? 0 : block_work(layout, mine.part);
    longest = std::max(longest, mine.whole.count() * whole + left);
    const int64_t weights = gradient_work(layout, worker) + sums_work(layout, worker);
    longest_gradients = std::max(longest_gradients, weights * blocks);
  }
  return longest + longest_gradients;
}

int64_t cpu_longest_work(const Plan& plan, int threads) {
  return longest_work(make_cpu_layout(plan), plan.batch, threads);
}

int useful_threads(const CpuLayout& layout, int batch, int most) {
  std::vector<int64_t> work;
  for (int threads = 1; threads <= most; ++threads) {
    work.push_back(longest_work(layout, batch, threads));
  }
  const int64_t least = *std::min_element(work.begin(), work.end());
  const auto enough = [&](int64_t each) { return each <= least + least / 20; };
  return static_cast<int>(std::find_if(work.begin(), work.end(), enough) - work.begin()) + 1;
}

}  // namespace digitron
