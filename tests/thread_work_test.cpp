#include "host/cpu/thread_work.h"

#include <gmock/gmock.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "host/cpu/block_share.h"
#include "host/cpu/cpu_engine.h"
#include "tests/cpu_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using testing::random_dataset;
using testing::train_steps;

// Every block once: whole by one thread, or by all places of one crew, whose first thread all of
// it agree on and which shares its memory with no other crew.
TEST(ShareBlocks, EveryBlockOnce) {
  for (int threads = 1; threads <= 20; ++threads)
    for (int blocks = 0; blocks <= 45; ++blocks) {
      std::multiset<int> taken;
      std::set<int> crew_memory;
      for (int index = 0; index < threads; ++index) {
        const BlockShare mine = share_blocks(blocks, {index, threads});
        for (int b = mine.whole.first; b < mine.whole.last; ++b) taken.insert(b);
        if (mine.left < 0) continue;
        ASSERT_EQ(mine.first_in_crew + mine.part.index, index);
        for (int place = 0; place < mine.part.count; ++place) {
          const BlockShare other = share_blocks(blocks, {mine.first_in_crew + place, threads});
          ASSERT_EQ(other.left, mine.left);
          ASSERT_EQ(other.part.index, place);
          ASSERT_EQ(other.part.count, mine.part.count);
        }
        if (mine.part.index > 0) continue;
        taken.insert(mine.left);
        if (!mine.has_crew()) continue;
        ASSERT_TRUE(crew_memory.insert(mine.first_in_crew / 2).second);
      }
      std::multiset<int> all;
      for (int b = 0; b < blocks; ++b) all.insert(b);
      ASSERT_EQ(taken, all) << blocks << " blocks, " << threads << " threads";
      for (const int place : crew_memory) ASSERT_LT(place, threads / 2);
    }
}

TEST(ShareBlocks, CrewsAreOfEvenSize) {
  const auto crew_of = [](int blocks, int threads) {
    std::vector<int> sizes;
    for (int index = 0; index < threads; ++index) {
      sizes.push_back(share_blocks(blocks, {index, threads}).part.count);
    }
    return sizes;
  };
  EXPECT_THAT(crew_of(4, 2), ElementsAre(1, 1));
  EXPECT_THAT(crew_of(5, 2), ElementsAre(2, 2));
  EXPECT_THAT(crew_of(2, 5), ElementsAre(2, 2, 3, 3, 3));
  EXPECT_THAT(crew_of(4, 8), ElementsAre(2, 2, 2, 2, 2, 2, 2, 2));
}

// What the kernels that multiply are asked for, by thread and phase of the step.
struct Counted {
  int64_t blocks = 0;
  int64_t gradients = 0;
};
std::mutex mutex;
std::map<std::thread::id, Counted> counted;

// Pixels are gathered for a first linear layer's sums, which are made in the phase of the
// gradients.
thread_local bool gathered = false;

void count_block(int64_t multiply_adds) {
  const std::lock_guard lock(mutex);
  counted[std::this_thread::get_id()].blocks += multiply_adds * kLanes;
  gathered = false;
}

void count_linear(int64_t multiply_adds) {
  if (!gathered) return count_block(multiply_adds);
  const std::lock_guard lock(mutex);
  counted[std::this_thread::get_id()].gradients += multiply_adds * kLanes;
  gathered = false;
}

int64_t outputs_of(Tensor y) {
  return int64_t{y.channels} * y.height * y.width;
}

int64_t taps(Window window) {
  return int64_t{window.rows} * window.columns;
}

void count_rows(int outputs, int height, int width, Tensor x, WinogradForm form) {
  count_block(int64_t{outputs} * height * form.tiles(width) * form.points() * form.taps *
              x.channels);
}

// Kernels that count in place of those that multiply.
CpuKernels counting_kernels() {
  CpuKernels kernels = *runnable_cpu_kernels().front();
  kernels.gather = [](Tensor, const uint8_t* const*, int, const PixelValues&, int, int) {
    gathered = true;
  };
  kernels.conv_forward = [](Tensor y, Tensor x, const float*, const float*, Window window, int,
                            bool) { count_block(outputs_of(y) * x.channels * taps(window)); };
  kernels.conv_pool_forward = [](Tensor y, Winners, Tensor x, const float*, const float*,
                                 Window window, bool) {
    count_block(4 * outputs_of(y) * x.channels * taps(window));
  };
  kernels.conv_backward_weights = [](float*, Tensor dy, Tensor x, Window window, int, bool) {
    count_block(outputs_of(dy) * x.channels * taps(window));
  };
  kernels.conv_backward_input = [](Tensor dx, Tensor dy, const float*, std::ptrdiff_t,
                                   Window window, int) {
    count_block(outputs_of(dy) * dx.channels * taps(window));
  };
  kernels.winograd_multiply = [](PointTensor m, PointTensor v, const float*, int, WinogradForm form,
                                 Ahead&) {
    count_block(outputs_of(m) * form.points() * form.taps * v.channels);
  };
  kernels.winograd_multiply_weights = [](float*, std::ptrdiff_t, PointTensor m, PointTensor v,
                                         WinogradForm form, float*, Ahead&) {
    count_block(outputs_of(m) * form.points() * form.taps * v.channels);
  };
  kernels.winograd_multiply_back = [](PointTensor v, PointTensor m, const float*, int,
                                      WinogradForm form, Ahead&) {
    count_block(outputs_of(m) * form.points() * form.taps * v.channels);
  };
  kernels.winograd_rows_forward = [](Tensor y, Tensor x, const float*, const float*,
                                     WinogradForm form, bool, float*) {
    count_rows(y.channels, y.height, y.width, x, form);
  };
  kernels.winograd_rows_pool_forward = [](Tensor y, Winners, Tensor x, const float*, const float*,
                                          WinogradForm form, bool, float*) {
    count_rows(y.channels, 2 * y.height, 2 * y.width, x, form);
  };
  kernels.winograd_rows_weights = [](float*, std::ptrdiff_t, Tensor dy, Tensor x, WinogradForm form,
                                     float*) {
    count_rows(dy.channels, dy.height, dy.width, x, form);
  };
  kernels.winograd_rows_pool_weights = [](float*, std::ptrdiff_t, Tensor dy, Winners, Tensor x,
                                          WinogradForm form, float*) {
    count_rows(dy.channels, 2 * dy.height, 2 * dy.width, x, form);
  };
  kernels.linear_forward = [](float*, std::ptrdiff_t, const float*, std::ptrdiff_t, int blocks,
                              const float*, std::ptrdiff_t, const float*, int inputs, int outputs,
                              SumsUse) { count_linear(int64_t{blocks} * inputs * outputs); };
  kernels.linear_backward_input = [](float*, std::ptrdiff_t, const float*, std::ptrdiff_t,
                                     int blocks, const float*, std::ptrdiff_t, int inputs,
                                     int outputs) {
    count_block(int64_t{blocks} * inputs * outputs);
  };
  kernels.linear_backward_weights = [](float*, const float*, std::ptrdiff_t, const float*, int, int,
                                       int outputs, int first, int last, int blocks, bool,
                                       const SgdStep*) {
    const std::lock_guard lock(mutex);
    counted[std::this_thread::get_id()].gradients +=
        int64_t{blocks} * (last - first) * outputs * kLanes;
  };
  return kernels;
}

struct StepCount {
  int64_t longest;
  int64_t all;
};

StepCount count_a_step(const Model& model, int batch, int threads) {
  const CpuKernels kernels = counting_kernels();
  CpuEngine engine(make_plan(model, batch), threads, kernels);
  engine.load(random_dataset(batch, 1), random_dataset(1, 2));
  counted.clear();
  train_steps(engine, 1, 0, 1, 0.1f);
  Counted longest;
  int64_t all = 0;
  for (const auto& [thread, work] : counted) {
    longest.blocks = std::max(longest.blocks, work.blocks);
    longest.gradients = std::max(longest.gradients, work.gradients);
    all += work.blocks + work.gradients;
  }
  return {longest.blocks + longest.gradients, all};
}

// What is foretold is what the engine asks its kernels for, and no thread repeats another's work.
TEST(ThreadWork, IsWhatTheEngineDoes) {
  for (const Model& model : {lenet5(), custom_mlp(), lenet5_improved(),
                             parse_model("conv 3x5 stride 2, maxpool 3 stride 2, conv 5x3, fc 10")})
    for (const int batch : {16, 100}) {
      const Plan plan = make_plan(model, batch);
      const CpuLayout layout = make_cpu_layout(plan);
      const int64_t all = longest_work(layout, batch, 1);
      for (const int threads : {2, 3, 5, 16}) {
        const StepCount step = count_a_step(model, batch, threads);
        const int useful = useful_threads(layout, batch, threads);  // the engine runs no more
        EXPECT_EQ(longest_work(layout, batch, useful), step.longest)
            << model.id << ", batch " << batch << ", " << threads << " threads";
        EXPECT_EQ(step.all, all) << model.id;
      }
    }
}

// A multiply-add is two FLOPs of the plan's.
TEST(ThreadWork, OneThreadDoesAll) {
  for (const Model& model : {custom_mlp(), parse_model("fc 30, fc 10")}) {
    const Plan plan = make_plan(model, 64);
    int64_t flops = 0;
    for (const PlannedLayer& layer : plan.layers) {
      if (std::holds_alternative<Linear>(layer.layer)) {
        flops += layer.flops_forward + layer.flops_backward;
      }
    }
    EXPECT_EQ(2 * longest_work(make_cpu_layout(plan), 64, 1), flops);
  }
}

// The longest thread's share of a step in tenths of a percent: host/cpu/README.md has the tables.
// Of Winograd's filtering, whose tiles suit the columns: 28 are seven tiles of eight points, ten
// are two of nine.
TEST(ThreadWork, ConvolutionsMultiplyLess) {
  const int64_t conv1 = 6 * 5 * 28 * (7 * 8);
  const int64_t conv2 = 16 * 6 * 5 * 10 * (2 * 9);
  const int64_t linear = 400 * 120 + 120 * 84 + 84 * 10;
  EXPECT_EQ(longest_work(make_cpu_layout(make_plan(lenet5(), 64)), 64, 1),
            64 * (2 * conv1 + 3 * conv2 + 3 * linear));
}

TEST(ThreadWork, FallsAsThreadsAreAdded) {
  const auto shares = [](const Model& model, int batch) {
    const CpuLayout layout = make_cpu_layout(make_plan(model, batch));
    std::vector<int64_t> parts;
    for (const int threads : {1, 2, 3, 4, 8, 16}) {
      parts.push_back(longest_work(layout, batch, threads) * 1000 / longest_work(layout, batch, 1));
    }
    return parts;
  };
  EXPECT_THAT(shares(lenet5(), 16), ElementsAre(1000, 500, 350, 278, 139, 99));
  EXPECT_THAT(shares(lenet5(), 64), ElementsAre(1000, 500, 337, 250, 125, 70));
  EXPECT_THAT(shares(custom_mlp(), 64), ElementsAre(1000, 508, 345, 263, 131, 67));
}

TEST(ThreadWork, ThreadsThatWouldOnlyWaitAreNotUseful) {
  const auto useful = [](int batch, int most) {
    return useful_threads(make_cpu_layout(make_plan(lenet5(), batch)), batch, most);
  };
  EXPECT_EQ(useful(64, 1), 1);
  EXPECT_EQ(useful(64, 4), 4);
  EXPECT_EQ(useful(64, 7), 4);  // four blocks in crews of 1 and 2
  EXPECT_EQ(useful(64, 8), 8);
  EXPECT_EQ(useful(16, 2), 2);
}

}  // namespace
}  // namespace digitron
