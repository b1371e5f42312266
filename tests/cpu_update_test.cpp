// Every optimiser of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/reference/reference_optimizer.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::Random;

constexpr OptimizerKind kKinds[] = {OptimizerKind::kSgd, OptimizerKind::kNesterov,
                                    OptimizerKind::kAdam, OptimizerKind::kAdamW};

// Parameters and everything an optimiser keeps of them.
struct Buffers {
  Buffers(size_t count, Random& random)
      : w(count, random), m(count, random), v(count, random), a(count, random), g(count, random) {
    for (size_t i = 0; i < count; ++i) v[i] = std::abs(v[i]);  // a mean of squares
  }

  UpdateStep step(size_t offset, const Optimizer& optimizer, const StepRates& rates) {
    return {w.data() + offset,
            m.data() + offset,
            has_second_moment(optimizer.kind) ? v.data() + offset : nullptr,
            optimizer.average_decay > 0 ? a.data() + offset : nullptr,
            update_rule(optimizer),
            rates};
  }
  bool intact() const { return w.intact() && m.intact() && v.intact() && a.intact() && g.intact(); }

  Guarded<float> w, m, v, a, g;
};

class CpuUpdate : public testing::CpuKernelsTest {
 protected:
  // f(optimizer, rates) for all of them, with an average and without.
  template <class F>
  static void for_each_optimizer(const F& f) {
    for (const OptimizerKind kind : kKinds) {
      for (const double decay : {0.0, 0.9}) {
        const Optimizer optimizer{.weight_decay = 0.02f, .kind = kind, .average_decay = decay};
        f(optimizer, step_rates(optimizer, 0.1, 3));
      }
    }
  }
};

// Any slice of the flat buffers: odd counts from odd offsets on.
TEST_P(CpuUpdate, AgreesWithTheReference) {
  Random random(91);
  for_each_optimizer([&](const Optimizer& optimizer, const StepRates& rates) {
    for (const size_t count : {1, 2, 5, 15, 16, 17, 31, 100}) {
      const size_t offset = count % 7;
      Buffers b(offset + count, random);
      std::vector<double> w = b.w.values(), m = b.m.values(), v = b.v.values(), a = b.a.values();
      reference::update(&w[offset], &m[offset], &v[offset], &a[offset], &b.g.values()[offset],
                        count, optimizer, rates);
      kernels_.update(b.step(offset, optimizer, rates), b.g.data() + offset, std::ptrdiff_t(count));
      EXPECT_TRUE(is_near(b.w.values(), w, 1e-6)) << count << int(optimizer.kind);
      EXPECT_TRUE(is_near(b.m.values(), m, 1e-6)) << count << int(optimizer.kind);
      EXPECT_TRUE(is_near(b.v.values(), v, 1e-6)) << count << int(optimizer.kind);
      EXPECT_TRUE(is_near(b.a.values(), a, 1e-6)) << count << int(optimizer.kind);
      EXPECT_TRUE(b.intact());
      for (size_t i = 0; i < offset; ++i) EXPECT_EQ(b.w[i], static_cast<float>(w[i]));
    }
  });
}

// Threads share a tensor at any place, so each parameter's result must not depend on its place in a
// vector.
TEST_P(CpuUpdate, SlicesGiveTheSameBits) {
  for_each_optimizer([&](const Optimizer& optimizer, const StepRates& rates) {
    constexpr size_t kCount = 67;
    Random first(92), second(92), random(93);
    Buffers whole(kCount, first), sliced(kCount, second);
    kernels_.update(whole.step(0, optimizer, rates), whole.g.data(), kCount);
    for (size_t at = 0; at < kCount;) {
      const size_t count = std::min(kCount - at, size_t(random.between(1, 20)));
      kernels_.update(sliced.step(at, optimizer, rates), sliced.g.data() + at,
                      std::ptrdiff_t(count));
      at += count;
    }
    EXPECT_EQ(sliced.w.values(), whole.w.values());
    EXPECT_EQ(sliced.m.values(), whole.m.values());
    EXPECT_EQ(sliced.v.values(), whole.v.values());
    EXPECT_EQ(sliced.a.values(), whole.a.values());
  });
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuUpdate, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
