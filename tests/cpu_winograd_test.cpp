// Minimal filtering of every instruction set: transforms, products between them and transforms back
// against the plain sums of a convolution by one row of 5 taps.
#include <gtest/gtest.h>

#include "host/cpu/winograd_weights.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using Values = std::vector<double>;

constexpr double kTolerance = 3e-6;

class CpuWinograd : public testing::CpuKernelsTest {};

// One channel to one channel, but on tensors of several: every channel has its own taps.
struct Case {
  explicit Case(Random& random)
      : tiles(random.between(1, 15)),
        out{random.between(1, 4), random.between(1, 9), tiles * kWinogradTile},
        in{out.channels, out.height, out.width + kWinogradTaps - 1},
        taps(random.reals<float>(size_t(out.channels) * kWinogradTaps)),
        bias(random.reals<float>(size_t(out.channels))) {
    for (int c = 0; c < out.channels; ++c) {
      winograd_weights(&u[size_t(c)][0], 1, &taps[size_t(c) * kWinogradTaps]);
    }
  }

  size_t plane_floats() const { return size_t(out.channels) * tiles * out.height * kLanes; }
  size_t channel(size_t i) const {  // of float i of all planes
    return i % plane_floats() / (plane_floats() / size_t(out.channels));
  }
  size_t plane(size_t i) const { return i / plane_floats(); }

  // Calls f(y index, x index, tap index) for every product, all lanes.
  template <class F>
  void for_each_product(F f) const {
    for (size_t i = 0; i < size_t(kLanes) * out.count(); ++i) {
      const size_t row = i / size_t(out.width);
      const size_t c = row / size_t(out.height) % size_t(out.channels);
      for (size_t j = 0; j < kWinogradTaps; ++j) {
        f(i, row * size_t(in.width) + i % size_t(out.width) + j, c * kWinogradTaps + j);
      }
    }
  }

  int tiles;
  Shape out, in;
  std::vector<float> taps, bias;
  float u[4][kWinogradPlanes];
};

TEST_P(CpuWinograd, Forward) {
  Random random(91);
  for (int trial = 0; trial < 30; ++trial) {
    const Case c(random);
    const bool relu = trial % 2;
    LaneTensor x(c.in, random), y(c.out);
    Guarded<float> planes(kWinogradPlanes * c.plane_floats());
    kernels_.winograd_input(planes.data(), x.view(), c.tiles);
    for (size_t i = 0; i < planes.size(); ++i) planes[i] *= c.u[c.channel(i)][c.plane(i)];
    kernels_.winograd_output(y.view(), planes.data(), c.bias.data(), relu);

    Values expected(size_t(kLanes) * c.out.count());
    const Values values = x.values();
    c.for_each_product([&](size_t i, size_t j, size_t tap) {
      if (tap % kWinogradTaps == 0) expected[i] = c.bias[tap / kWinogradTaps];
      expected[i] += c.taps[tap] * values[j];
    });
    if (relu) {
      for (double& value : expected) value = std::max(value, 0.0);
    }
    EXPECT_TRUE(is_near(y.values(), expected, kTolerance)) << trial;
    EXPECT_TRUE(y.intact() && planes.intact());
  }
}

TEST_P(CpuWinograd, Backward) {
  Random random(92);
  for (int trial = 0; trial < 30; ++trial) {
    const Case c(random);
    LaneTensor x(c.in, random), dx(c.in, random), dy(c.out, random);
    Values expected_dx = dx.values(), expected_dw(c.taps.size());
    const Values values = x.values(), d = dy.values();
    c.for_each_product([&](size_t i, size_t j, size_t tap) {
      expected_dx[j] += c.taps[tap] * d[i];
      expected_dw[tap] += d[i] * values[j];
    });

    Guarded<float> v(kWinogradPlanes * c.plane_floats()), dm(v.size());
    kernels_.winograd_input(v.data(), x.view(), c.tiles);
    kernels_.winograd_output_gradient(dm.data(), dy.view());
    std::vector<float> dw(c.taps.size());
    for (size_t channel = 0; channel < size_t(c.out.channels); ++channel) {
      Values du(kWinogradPlanes);
      for (size_t i = 0; i < dm.size(); ++i) {
        if (c.channel(i) == channel) du[c.plane(i)] += double(dm[i]) * v[i];
      }
      float rounded[kWinogradPlanes];
      std::copy(du.begin(), du.end(), rounded);
      winograd_weights_gradient(&dw[channel * kWinogradTaps], rounded);
    }
    for (size_t i = 0; i < dm.size(); ++i) dm[i] *= c.u[c.channel(i)][c.plane(i)];
    kernels_.winograd_input_gradient(dx.view(), dm.data(), c.tiles);

    EXPECT_TRUE(is_near(dw, expected_dw, kTolerance)) << trial;
    EXPECT_TRUE(is_near(dx.values(), expected_dx, kTolerance)) << trial;
    EXPECT_TRUE(dx.intact() && dm.intact() && v.intact());
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuWinograd, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
