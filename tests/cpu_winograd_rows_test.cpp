// Winograd's filtering for few input channels, of every instruction set, against the reference's
// convolution in double precision.
#include <gtest/gtest.h>

#include "host/cpu/stages/stage.h"
#include "host/reference/reference_ops.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using testing::WinnerTable;
using Values = std::vector<double>;

constexpr double kRowsTolerance = 3e-6;  // the other convolutions'

struct FewChannels {
  WinogradForm form;
  Shape in;  // border included
  Shape out;

  Conv2d conv() const { return {out.channels, form.taps, 1, 0}; }
  int kernel_rows() const { return in.channels * form.taps; }  // of an output
  size_t weights() const { return size_t(out.channels) * kernel_rows() * form.taps; }
  size_t transformed_weights() const {
    return size_t(form.points()) * out.channels * kernel_rows();
  }
  size_t memory() const { return winograd_rows_floats(form, in.channels, out.channels, out.width); }
  bool pools() const { return out.height % 2 == 0 && out.width % 2 == 0; }
  Shape pooled() const { return {out.channels, out.height / 2, out.width / 2}; }
};

std::ostream& operator<<(std::ostream& out, const FewChannels& c) {
  return out << c.form.taps << " taps, " << c.in.channels << "x" << c.in.height << "x" << c.in.width
             << " -> " << c.out.channels;
}

FewChannels few_channels(int taps, const Shape& in, int outputs) {
  return {{taps, 4}, in, {outputs, in.height - taps + 1, in.width - taps + 1}};
}

std::vector<FewChannels> few_channels_cases() {
  Random random(81);
  std::vector<FewChannels> result{few_channels(5, {1, 32, 32}, 6),  // LeNet-5's
                                  few_channels(3, {3, 34, 34}, 16)};
  for (const int taps : {3, 5})
    for (int i = 0; i < 24; ++i) {
      const Shape in{random.between(1, 4), taps + random.between(0, 9),
                     taps + random.between(0, 17)};
      result.push_back(few_channels(taps, in, random.between(1, 17)));
    }
  return result;
}

// What every test begins with; memory that was not written reads as not a number.
struct FewChannelsSetting {
  FewChannelsSetting(const CpuKernels& kernels, const FewChannels& c, Random& random)
      : x(c.in, random),
        w(c.weights(), random),
        b(size_t(c.out.channels), random),
        u(c.transformed_weights()),
        memory(c.memory()) {
    kernels.winograd_points(u.data(), w.data(), c.form, c.out.channels * c.kernel_rows());
  }
  bool intact() { return x.intact() && w.intact() && u.intact() && memory.intact(); }

  LaneTensor x;
  Guarded<float> w, b, u, memory;
};

class CpuWinogradRows : public testing::CpuKernelsTest {
 protected:
  // Of all outputs by two threads' parts, of which one may be empty.
  template <class F>
  void for_each_part(Random& random, int outputs, F f) {
    const int half = random.between(0, outputs);
    for (const Range part : {Range{0, half}, Range{half, outputs}}) {
      if (part.count() > 0) f(part);
    }
  }

  // The weights' gradients of what sums(first of a part's, stride, part) makes at all points.
  template <class F>
  Values weight_gradients(const FewChannels& c, Random& random, F sums) {
    const int rows = c.out.channels * c.kernel_rows();
    Guarded<float> du(c.transformed_weights()), dw(c.weights());
    for_each_part(random, c.out.channels, [&](Range part) {
      sums(du.data() + std::ptrdiff_t{part.first} * c.kernel_rows(), rows, part);
    });
    kernels_.winograd_weight_gradient(dw.data(), du.data(), rows, c.form, rows);
    EXPECT_TRUE(du.intact() && dw.intact()) << c;
    return dw.values();
  }
};

TEST_P(CpuWinogradRows, Forward) {
  Random random(82);
  for (const FewChannels& c : few_channels_cases()) {
    FewChannelsSetting setting(kernels_, c, random);
    LaneTensor y(c.out);
    const bool relu = random.chance(50);
    const bool bias = random.chance(70);
    if (!bias) std::fill_n(setting.b.data(), setting.b.size(), 0.0f);
    for_each_part(random, c.out.channels, [&](Range part) {
      kernels_.winograd_rows_forward(
          channels_of(y.view(), part), setting.x.view(),
          setting.u.data() + std::ptrdiff_t{part.first} * c.kernel_rows() * c.form.points(),
          bias ? setting.b.data() + part.first : nullptr, c.form, relu, setting.memory.data());
    });
    Values expected(size_t(kLanes) * c.out.count());
    reference::conv_forward(expected.data(), setting.x.values().data(), setting.w.values().data(),
                            setting.b.values().data(), c.conv(), c.in, c.out, kLanes);
    if (relu) {
      for (double& value : expected) value = std::max(0.0, value);
    }
    EXPECT_TRUE(is_near(y.values(), expected, kRowsTolerance)) << c;
    EXPECT_TRUE(y.intact() && setting.intact()) << c;
  }
}

// The same bits as of the convolution and the pooling after it.
TEST_P(CpuWinogradRows, PoolForwardIsForwardAndPooling) {
  Random random(83);
  for (const FewChannels& c : few_channels_cases()) {
    if (!c.pools()) continue;
    FewChannelsSetting setting(kernels_, c, random);
    LaneTensor between(c.out), expected(c.pooled()), y(c.pooled());
    WinnerTable expected_winners(c.pooled()), winners(c.pooled());
    const bool relu = random.chance(50);
    kernels_.winograd_rows_forward(between.view(), setting.x.view(), setting.u.data(), nullptr,
                                   c.form, false, setting.memory.data());
    kernels_.maxpool_forward(expected.view(), expected_winners.view(), between.view(),
                             setting.b.data(), {2, 2, 2}, relu);
    kernels_.winograd_rows_pool_forward(y.view(), winners.view(), setting.x.view(),
                                        setting.u.data(), setting.b.data(), c.form, relu,
                                        setting.memory.data());
    EXPECT_EQ(y.values(), expected.values()) << c;
    LaneTensor alone(c.pooled());
    kernels_.winograd_rows_pool_forward(alone.view(), {}, setting.x.view(), setting.u.data(),
                                        setting.b.data(), c.form, relu, setting.memory.data());
    EXPECT_EQ(alone.values(), expected.values()) << c;
    EXPECT_TRUE(std::equal(winners.memory.data(), winners.memory.data() + winners.memory.size(),
                           expected_winners.memory.data()))
        << c;
    EXPECT_TRUE(y.intact() && winners.memory.intact() && setting.intact()) << c;
  }
}

// The reference's, from the gradient of the outputs.
Values expected_weight_gradients(const FewChannels& c, FewChannelsSetting& setting,
                                 LaneTensor& dy) {
  Values dx(size_t(kLanes) * c.in.count()), dw(c.weights()), db(size_t(c.out.channels));
  reference::conv_backward(dx.data(), dw.data(), db.data(), dy.values().data(),
                           setting.x.values().data(), setting.w.values().data(), c.conv(), c.in,
                           c.out, kLanes);
  return dw;
}

TEST_P(CpuWinogradRows, Weights) {
  Random random(84);
  for (const FewChannels& c : few_channels_cases()) {
    FewChannelsSetting setting(kernels_, c, random);
    LaneTensor dy(c.out, random);
    const Values dw =
        weight_gradients(c, random, [&](float* du, std::ptrdiff_t point_stride, Range part) {
          kernels_.winograd_rows_weights(du, point_stride, channels_of(dy.view(), part),
                                         setting.x.view(), c.form, setting.memory.data());
        });
    EXPECT_TRUE(is_near(dw, expected_weight_gradients(c, setting, dy), kRowsTolerance)) << c;
    EXPECT_TRUE(setting.intact()) << c;
  }
}

TEST_P(CpuWinogradRows, PoolWeights) {
  Random random(85);
  for (const FewChannels& c : few_channels_cases()) {
    if (!c.pools()) continue;
    FewChannelsSetting setting(kernels_, c, random);
    LaneTensor dy(c.pooled(), random), unpooled(c.out);
    WinnerTable winners(c.pooled());
    for (size_t i = 0; i < size_t(kLanes) * c.pooled().count(); ++i) {
      winners.at(i) = random.chance(20) ? kNoWinner : static_cast<uint16_t>(random.between(0, 3));
    }
    kernels_.maxpool_backward(unpooled.view(), dy.view(), winners.view(), {2, 2, 2});
    const Values dw =
        weight_gradients(c, random, [&](float* du, std::ptrdiff_t point_stride, Range part) {
          kernels_.winograd_rows_pool_weights(du, point_stride, channels_of(dy.view(), part),
                                              channels_of(winners.view(), part), setting.x.view(),
                                              c.form, setting.memory.data());
        });
    EXPECT_TRUE(is_near(dw, expected_weight_gradients(c, setting, unpooled), kRowsTolerance)) << c;
    EXPECT_TRUE(setting.intact()) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuWinogradRows,
                         ::testing::ValuesIn(runnable_cpu_kernels()), testing::instruction_set);

}  // namespace
}  // namespace digitron
