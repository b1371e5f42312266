// Winograd's filtering, of every instruction set, against the reference's convolution in double
// precision.
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

constexpr double kTolerance = 3e-6;  // the other convolutions'

struct Case {
  Conv2d conv;
  WinogradForm form;
  Shape in;  // border included
  Shape out;

  int points() const { return form.points(); }
  int tiles() const { return form.tiles(out.width); }
  int kernel_rows() const { return in.channels * conv.kernel; }  // of an output
  size_t transformed_weights() const {
    return static_cast<size_t>(points() * out.channels * kernel_rows());
  }
  size_t weights() const { return static_cast<size_t>(out.channels * kernel_rows() * conv.kernel); }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "F(" << c.form.outputs << ", " << c.form.taps << "), " << c.in.channels << "x"
             << c.in.height << "x" << c.in.width << " -> " << c.out.channels;
}

Case make_case(WinogradForm form, const Shape& in, int out_channels) {
  const int taps = form.taps;
  return {{out_channels, taps, 1, 0},
          form,
          in,
          {out_channels, in.height - taps + 1, in.width - taps + 1}};
}

std::vector<Case> cases() {
  Random random(71);
  std::vector<Case> result{make_case({5, 5}, {6, 14, 14}, 16),  // LeNet-5's
                           make_case({3, 4}, {16, 12, 12}, 40)};
  for (const WinogradForm form : {WinogradForm{3, 4}, {3, 5}, {5, 4}, {5, 5}}) {
    for (int i = 0; i < 12; ++i) {
      const Shape in{random.between(1, 9), form.taps + random.between(0, 7),
                     form.taps + random.between(0, 17)};
      result.push_back(make_case(form, in, random.between(1, 19)));
    }
  }
  return result;
}

// Memory of a tensor at all points, with guards around it.
class Transformed {
 public:
  Transformed(const Case& c, int channels, int height)
      : memory_(static_cast<size_t>(c.points() * channels * height * c.tiles() * kLanes)),
        view_{dense(memory_.data(), {channels, height, c.tiles()}), 0} {
    view_.point_stride = channels * view_.channel_stride;
  }
  PointTensor view() const { return view_; }
  // Some of the channels, as a thread of a crew has.
  PointTensor channels(Range range) const {
    return {channels_of(static_cast<const Tensor&>(view_), range), view_.point_stride};
  }
  std::vector<double> values() const { return memory_.values(); }
  bool intact() const { return memory_.intact(); }

 private:
  Guarded<float> memory_;
  PointTensor view_;
};

// What every test begins with.
struct Setting {
  Setting(const CpuKernels& kernels, const Case& c, Random& random)
      : x(c.in, random),
        w(c.weights(), random),
        u(c.transformed_weights()),
        u_back(c.transformed_weights()),
        v(c, c.in.channels, c.in.height) {
    kernels.winograd_weights(u.data(), u_back.data(), w.data(), c.form, c.out.channels,
                             c.in.channels);
    kernels.winograd_input(v.view(), x.view(), c.form);
  }
  bool intact() { return x.intact() && w.intact() && u.intact() && u_back.intact() && v.intact(); }

  LaneTensor x;
  Guarded<float> w, u, u_back;
  Transformed v;
};

// Two threads' parts, of which one may be empty.
std::vector<Range> parts(Random& random, int count) {
  const int half = random.between(0, count);
  std::vector<Range> result;
  for (const Range part : {Range{0, half}, Range{half, count}}) {
    if (part.count() > 0) result.push_back(part);
  }
  return result;
}

class CpuWinograd : public testing::CpuKernelsTest {
 protected:
  Transformed multiply(const Case& c, Setting& setting, Random& random) {
    Transformed m(c, c.out.channels, c.out.height);
    for (const Range part : parts(random, c.out.channels)) {
      kernels_.winograd_multiply(m.channels(part), setting.v.view(), setting.u.data() + part.first,
                                 c.out.channels, c.form, ahead_);
    }
    return m;
  }

  std::vector<float> soon_ = std::vector<float>(16 * 100);
  Ahead ahead_{soon_.data(), 100};
};

TEST_P(CpuWinograd, Forward) {
  Random random(72);
  for (const Case& c : cases()) {
    Setting setting(kernels_, c, random);
    LaneTensor y(c.out);
    Guarded<float> b(size_t(c.out.channels), random);
    const bool relu = random.chance(50);
    const bool bias = random.chance(70);
    if (!bias) std::fill_n(b.data(), b.size(), 0.0f);
    const Transformed m = multiply(c, setting, random);
    kernels_.winograd_output(y.view(), m.view(), bias ? b.data() : nullptr, c.form, relu);
    Values expected(size_t(kLanes) * c.out.count());
    reference::conv_forward(expected.data(), setting.x.values().data(), setting.w.values().data(),
                            b.values().data(), c.conv, c.in, c.out, kLanes);
    if (relu) {
      for (double& value : expected) value = std::max(0.0, value);
    }
    EXPECT_TRUE(is_near(y.values(), expected, kTolerance)) << c;
    EXPECT_TRUE(m.intact() && y.intact() && setting.intact()) << c;
  }
}

// The same bits as of the output and the pooling after it.
TEST_P(CpuWinograd, PoolOutputIsOutputAndPooling) {
  Random random(73);
  for (const Case& c : cases()) {
    if (c.out.height % 2 || c.out.width % 2) continue;
    Setting setting(kernels_, c, random);
    Guarded<float> b(size_t(c.out.channels), random);
    const Shape pooled{c.out.channels, c.out.height / 2, c.out.width / 2};
    LaneTensor between(c.out), expected(pooled), y(pooled);
    WinnerTable expected_winners(pooled), winners(pooled);
    const bool relu = random.chance(50);
    const Transformed m = multiply(c, setting, random);
    kernels_.winograd_output(between.view(), m.view(), nullptr, c.form, false);
    kernels_.maxpool_forward(expected.view(), expected_winners.view(), between.view(), b.data(),
                             {2, 2, 2}, relu);
    kernels_.winograd_pool_output(y.view(), winners.view(), m.view(), b.data(), c.form, relu);
    EXPECT_EQ(y.values(), expected.values()) << c;
    LaneTensor alone(pooled);
    kernels_.winograd_pool_output(alone.view(), {}, m.view(), b.data(), c.form, relu);
    EXPECT_EQ(alone.values(), expected.values()) << c;
    EXPECT_TRUE(std::equal(winners.memory.data(), winners.memory.data() + winners.memory.size(),
                           expected_winners.memory.data()))
        << c;
    EXPECT_TRUE(y.intact() && winners.memory.intact()) << c;
  }
}

// Each line once, as far as they go.
TEST_P(CpuWinograd, AsksForLinesAhead) {
  Random random(76);
  const Case c = cases().front();
  Setting setting(kernels_, c, random);
  int64_t before = ahead_.lines;
  for (int i = 0; i < 200 && ahead_.lines > 0; ++i) {
    multiply(c, setting, random);
    EXPECT_LT(ahead_.lines, before);
    EXPECT_EQ(ahead_.data - soon_.data(), 16 * (100 - ahead_.lines));
    before = ahead_.lines;
  }
  EXPECT_EQ(ahead_.lines, 0);
  multiply(c, setting, random);
  EXPECT_EQ(ahead_.lines, 0);
}

TEST_P(CpuWinograd, Backward) {
  Random random(74);
  for (const Case& c : cases()) {
    Setting setting(kernels_, c, random);
    LaneTensor dy(c.out, random), dx(c.in, random);
    Values expected_dx(size_t(kLanes) * c.in.count()), expected_dw(c.weights());
    Values db(size_t(c.out.channels));
    reference::conv_backward(expected_dx.data(), expected_dw.data(), db.data(), dy.values().data(),
                             setting.x.values().data(), setting.w.values().data(), c.conv, c.in,
                             c.out, kLanes);
    const Values before = dx.values();
    for (size_t i = 0; i < before.size(); ++i) expected_dx[i] += before[i];

    const Transformed m(c, c.out.channels, c.out.height);
    Guarded<float> du(c.transformed_weights()), dw(c.weights());
    const int rows = c.out.channels * c.kernel_rows();
    for (const Range part : parts(random, c.out.channels)) {
      const int first_row = part.first * c.kernel_rows();
      Guarded<float> lanes(size_t(part.count()) * c.kernel_rows() * kLanes);
      kernels_.winograd_output_gradient(m.channels(part), channels_of(dy.view(), part), c.form);
      kernels_.winograd_multiply_weights(du.data() + first_row, rows, m.channels(part),
                                         setting.v.view(), c.form, lanes.data(), ahead_);
      EXPECT_TRUE(lanes.intact()) << c;
    }
    kernels_.winograd_weight_gradient(dw.data(), du.data(), rows, c.form, rows);
    for (const Range part : parts(random, c.in.channels)) {
      const PointTensor v = setting.v.channels(part);
      kernels_.winograd_multiply_back(v, m.view(), setting.u_back.data() + part.first,
                                      c.in.channels, c.form, ahead_);
      kernels_.winograd_input_gradient(channels_of(dx.view(), part), v, c.form);
    }
    EXPECT_TRUE(is_near(dw.values(), expected_dw, kTolerance)) << c;
    EXPECT_TRUE(is_near(dx.values(), expected_dx, kTolerance)) << c;
    EXPECT_TRUE(m.intact() && du.intact() && dw.intact()) << c;
    EXPECT_TRUE(dx.intact() && setting.intact()) << c;
  }
}

// The same bits as of what the pooling hands back and the transform of that.
TEST_P(CpuWinograd, PoolGradientIsPoolingAndOutputGradient) {
  Random random(75);
  for (const Case& c : cases()) {
    if (c.out.height % 2 || c.out.width % 2) continue;
    const Shape pooled{c.out.channels, c.out.height / 2, c.out.width / 2};
    LaneTensor dy(pooled, random), between(c.out);
    WinnerTable winners(pooled);
    for (size_t i = 0; i < size_t(kLanes) * pooled.count(); ++i) {
      winners.at(i) = random.chance(20) ? kNoWinner : static_cast<uint16_t>(random.between(0, 3));
    }
    const Transformed expected(c, c.out.channels, c.out.height), m(c, c.out.channels, c.out.height);
    kernels_.maxpool_backward(between.view(), dy.view(), winners.view(), {2, 2, 2});
    kernels_.winograd_output_gradient(expected.view(), between.view(), c.form);
    kernels_.winograd_pool_gradient(m.view(), dy.view(), winners.view(), c.form);
    EXPECT_EQ(m.values(), expected.values()) << c;
    EXPECT_TRUE(m.intact()) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuWinograd, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
