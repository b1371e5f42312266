// Gather, pooling, ReLU, sums and transposition of every instruction set against plain
// loops.
#include <gtest/gtest.h>

#include <numeric>

#include "host/core/plan.h"
#include "host/cpu/layout.h"
#include "host/reference/reference_ops.h"
#include "tests/cpu_testing.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using testing::WinnerTable;
using Values = std::vector<double>;

class CpuElementwise : public testing::CpuKernelsTest {};

Shape random_shape(Random& random) {
  return {random.between(1, 5), random.between(1, 9), random.between(1, 19)};
}

// ---- gather

// MNIST's, CIFAR's, rows that are not made of fours, and channels that are not made of vectors.
constexpr PixelForm kForms[] = {kMnistForm,
                                {3, 32, 32, {0.4f, 0.5f, 0.6f}, {0.2f, 0.25f, 0.3f}},
                                {1, 9, 7, {0.3f}, {0.2f}},
                                {2, 5, 12, {0.1f, 0.9f}, {1, 0.5f}},
                                {4, 3, 3, {0, 0.1f, 0.2f, 0.3f}, {1, 2, 3, 4}}};

PixelValues values_of(const PixelForm& form) {
  Task task;
  task.image = {form.channels, form.height, form.width};
  task.mean.assign(form.mean, form.mean + form.channels);
  task.deviation.assign(form.deviation, form.deviation + form.channels);
  return pixel_values(pixel_form(task));
}

// All levels, in images that begin at odd addresses: a span may begin anywhere.
struct Images {
  explicit Images(const PixelForm& of) : form(of), bytes(size_t(kLanes) * size_t(of.count() + 1)) {
    Random random(81);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.between(0, 255));
    for (size_t n = 0; n < kLanes; ++n) image[n] = &bytes[n * size_t(form.count() + 1)];
  }
  double pixel(size_t n, size_t i) const {
    const size_t channel = i / size_t(form.plane());
    return (image[n][i] / 255.0 - form.mean[channel]) / form.deviation[channel];
  }
  Shape shape() const { return {form.channels, form.height, form.width}; }

  PixelForm form;
  std::vector<uint8_t> bytes;
  const uint8_t* image[kLanes];
};

TEST_P(CpuElementwise, GatherNormalisesAndTransposes) {
  for (const PixelForm& form : kForms) {
    const Images images(form);
    const int pixels = form.count();
    for (int count = 1; count <= kLanes; ++count) {
      LaneTensor x(images.shape());
      const int middle = std::min(count * kLanes, pixels / kLanes * kLanes);
      kernels_.gather(x.view(), images.image, count, values_of(form), 0, middle);
      kernels_.gather(x.view(), images.image, count, values_of(form), middle, pixels);
      const Values made = x.values();
      for (size_t n = 0; n < kLanes; ++n)
        for (size_t i = 0; i < size_t(pixels); ++i) {
          const double expected = n < size_t(count) ? images.pixel(n, i) : 0;
          ASSERT_TRUE(std::abs(made[n * size_t(pixels) + i] - expected) <= 1e-6) << n << ", " << i;
        }
      EXPECT_TRUE(x.intact());
    }
  }
}

// Some columns of the images, as a thread takes them, and zeros after an image's end.
TEST_P(CpuElementwise, GatherRowsNormalises) {
  Random random(80);
  for (const PixelForm& form : kForms) {
    const Images images(form);
    for (int count = 1; count <= kLanes; ++count) {
      const int first = random.between(0, (form.count() - 1) / kLanes) * kLanes;
      const int row = random.between(1, 20) * kLanes;
      Guarded<float> x_rows(size_t(kLanes) * row);
      kernels_.gather_rows(x_rows.data(), row, images.image, count, values_of(form), first);
      for (int n = 0; n < kLanes; ++n)
        for (int i = 0; i < row; ++i) {
          const bool given = n < count && first + i < form.count();
          const double expected = given ? images.pixel(size_t(n), size_t(first + i)) : 0;
          ASSERT_TRUE(std::abs(x_rows[size_t(n * row + i)] - expected) <= 1e-6) << n << ", " << i;
        }
      EXPECT_TRUE(x_rows.intact());
    }
  }
}

// Both ways of gathering give the same bits: a linear layer's forward and backward see one x.
TEST_P(CpuElementwise, GathersAgree) {
  for (const PixelForm& form : kForms) {
    const Images images(form);
    const size_t row = size_t(form.count() + kLanes - 1) / kLanes * kLanes;
    LaneTensor x(images.shape());
    Guarded<float> x_rows(kLanes * row);
    kernels_.gather(x.view(), images.image, kLanes, values_of(form), 0, form.count());
    kernels_.gather_rows(x_rows.data(), int(row), images.image, kLanes, values_of(form), 0);
    const Values made = x.values();
    for (size_t n = 0; n < kLanes; ++n)
      for (size_t i = 0; i < size_t(form.count()); ++i)
        ASSERT_EQ(made[n * size_t(form.count()) + i], x_rows[n * row + i]) << n << ", " << i;
  }
}

// ---- max-pooling

// Few different values, so that ties are common.
LaneTensor coarse_tensor(const Shape& shape, Random& random) {
  LaneTensor tensor(shape);
  Values values(static_cast<size_t>(kLanes) * shape.count());
  for (double& value : values) value = random.between(-3, 3);
  tensor.set(values);
  return tensor;
}

MaxPool2d random_pool(Random& random, const Shape& in) {
  const int most = std::min({in.height, in.width, 5});
  return {random.between(1, most), random.between(1, 4)};
}

TEST_P(CpuElementwise, MaxPoolForward) {
  Random random(82);
  for (int trial = 0; trial < 60; ++trial) {
    const Shape in = random_shape(random);
    const MaxPool2d pool = random_pool(random, in);
    const Shape out = output_shape(pool, in);
    const bool relu = trial % 2;
    LaneTensor x = coarse_tensor(in, random), y(out);
    WinnerTable winners(out);
    kernels_.maxpool_forward(y.view(), winners.view(), x.view(), nullptr,
                             {pool.kernel, pool.kernel, pool.stride}, relu);
    Values expected(size_t(kLanes) * out.count());
    std::vector<size_t> winner(expected.size());
    reference::maxpool_forward(expected.data(), winner.data(), x.values().data(), pool, in, out,
                               kLanes);
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t corner_x = i % size_t(out.width) * size_t(pool.stride);
      const size_t corner_y = i / size_t(out.width) % size_t(out.height) * size_t(pool.stride);
      const size_t at_x = winner[i] % size_t(in.width);
      const size_t at_y = winner[i] / size_t(in.width) % size_t(in.height);
      size_t index = (at_y - corner_y) * size_t(pool.kernel) + at_x - corner_x;
      if (relu && expected[i] <= 0) {
        index = kNoWinner;
        expected[i] = 0;
      }
      ASSERT_EQ(winners.at(i), index) << to_text(Layer(pool));
    }
    EXPECT_EQ(y.values(), expected) << to_text(Layer(pool));
    EXPECT_TRUE(y.intact() && winners.memory.intact());
  }
}

// dx = or += dy at the winners.
Values routed(Values dx, const Values& dy, WinnerTable& winners, const MaxPool2d& pool,
              const Shape& in) {
  const Shape& out = winners.shape;
  for (size_t i = 0; i < dy.size(); ++i) {
    if (winners.at(i) == kNoWinner) continue;
    const size_t plane = i / size_t(out.width) / size_t(out.height);
    const size_t y = i / size_t(out.width) % size_t(out.height) * size_t(pool.stride) +
                     winners.at(i) / size_t(pool.kernel);
    const size_t x =
        i % size_t(out.width) * size_t(pool.stride) + winners.at(i) % size_t(pool.kernel);
    dx[(plane * size_t(in.height) + y) * size_t(in.width) + x] += dy[i];
  }
  return dx;
}

void draw_winners(WinnerTable& winners, int kernel, Random& random) {
  for (size_t i = 0; i < size_t(kLanes) * winners.shape.count(); ++i) {
    const int winner = random.between(0, kernel * kernel);
    winners.at(i) = winner == kernel * kernel ? kNoWinner : static_cast<uint16_t>(winner);
  }
}

TEST_P(CpuElementwise, MaxPoolBackwardAdds) {
  Random random(83);
  for (int trial = 0; trial < 60; ++trial) {
    const Shape in = random_shape(random);
    const MaxPool2d pool = random_pool(random, in);
    const Shape out = output_shape(pool, in);
    LaneTensor dx(in, random), dy(out, random);
    WinnerTable winners(out);
    draw_winners(winners, pool.kernel, random);
    const Values expected = routed(dx.values(), dy.values(), winners, pool, in);
    kernels_.maxpool_backward_add(dx.view(), dy.view(), winners.view(),
                                  {pool.kernel, pool.kernel, pool.stride});
    EXPECT_TRUE(is_near(dx.values(), expected, 1e-6)) << to_text(Layer(pool));
    EXPECT_TRUE(dx.intact());
  }
}

TEST_P(CpuElementwise, MaxPoolBackwardOverwrites) {
  Random random(84);
  for (int trial = 0; trial < 40; ++trial) {
    const Shape out = random_shape(random);
    const int kernel = trial % 4 + 1;
    const Shape in{out.channels, out.height * kernel, out.width * kernel};
    LaneTensor dx(in), dy(out, random);
    WinnerTable winners(out);
    draw_winners(winners, kernel, random);
    const Values zeros(size_t(kLanes) * in.count());
    const Values expected = routed(zeros, dy.values(), winners, {kernel, kernel}, in);
    kernels_.maxpool_backward(dx.view(), dy.view(), winners.view(), {kernel, kernel, kernel});
    EXPECT_EQ(dx.values(), expected) << kernel;
    EXPECT_TRUE(dx.intact());
  }
}

// ---- ReLU

TEST_P(CpuElementwise, Relu) {
  Random random(85);
  for (int trial = 0; trial < 20; ++trial) {
    const Shape shape = random_shape(random);
    LaneTensor x = coarse_tensor(shape, random), y(shape), dx(shape), dy(shape, random);
    kernels_.relu_forward(y.view(), x.view());
    kernels_.relu_backward(dx.view(), dy.view(), y.view(), 1.0f);
    Values expected_y = x.values(), expected_dx = dy.values();
    for (size_t i = 0; i < expected_y.size(); ++i) {
      if (expected_y[i] <= 0) expected_y[i] = expected_dx[i] = 0;
    }
    EXPECT_EQ(y.values(), expected_y);
    EXPECT_EQ(dx.values(), expected_dx);
    EXPECT_TRUE(y.intact() && dx.intact());
    kernels_.relu_backward(dy.view(), dy.view(), y.view(), 1.0f);  // in place
    EXPECT_EQ(dy.values(), expected_dx);
  }
}

TEST_P(CpuElementwise, ReluKeepsNan) {
  LaneTensor x({1, 1, 1}), y({1, 1, 1});
  x.set(Values(kLanes, NAN));
  kernels_.relu_forward(y.view(), x.view());
  for (const double value : y.values()) EXPECT_TRUE(std::isnan(value));
}

// ---- sums and transposition

TEST_P(CpuElementwise, SumPositions) {
  Random random(86);
  for (int trial = 0; trial < 20; ++trial) {
    const Shape shape = random_shape(random);
    LaneTensor dy(shape, random), y = coarse_tensor(shape, random);
    const size_t sums = size_t(shape.channels) * kLanes;
    Guarded<float> all(sums), positive(sums);
    Values expected_all(sums), expected_positive(sums);
    const Values d = dy.values(), at = y.values();
    for (size_t i = 0; i < d.size(); ++i) {
      const size_t lane = i / size_t(shape.count());
      const size_t channel = i / size_t(shape.height * shape.width) % size_t(shape.channels);
      expected_all[channel * kLanes + lane] += d[i];
      if (at[i] > 0) expected_positive[channel * kLanes + lane] += d[i];
    }
    kernels_.sum_positions(all.data(), dy.view());
    kernels_.sum_positive_positions(positive.data(), dy.view(), y.view());
    EXPECT_TRUE(is_near(all.values(), expected_all, 1e-6));
    EXPECT_TRUE(is_near(positive.values(), expected_positive, 1e-6));
    EXPECT_TRUE(all.intact() && positive.intact());
  }
}

TEST_P(CpuElementwise, SumLanes) {
  Random random(87);
  for (const int count : {1, 2, 7, 156}) {
    Guarded<float> lanes(size_t(count) * kLanes, random), sums(static_cast<size_t>(count));
    kernels_.sum_lanes(sums.data(), lanes.data(), count);
    Values expected;
    for (int i = 0; i < count; ++i) {
      const float* from = lanes.data() + i * kLanes;
      expected.push_back(std::accumulate(from, from + kLanes, 0.0));
    }
    EXPECT_TRUE(is_near(sums.values(), expected, 1e-6));
    EXPECT_TRUE(sums.intact());
    // The order of a sum must not depend on the instruction set.
    Guarded<float> elsewhere(static_cast<size_t>(count));
    runnable_cpu_kernels().back()->sum_lanes(elsewhere.data(), lanes.data(), count);
    EXPECT_EQ(sums.values(), elsewhere.values());
  }
}

TEST_P(CpuElementwise, Transpose) {
  Random random(88);
  for (const int count : {1, 3, 4, 5, 15, 16, 17, 40, 84, 90, 120}) {
    const size_t row = size_t(count + kLanes - 1) / kLanes * kLanes;
    Guarded<float> x(size_t(count) * kLanes, random), x_rows(kLanes * row);
    kernels_.transpose(x_rows.data(), int(row), x.data(), count);
    for (size_t n = 0; n < kLanes; ++n)
      for (size_t i = 0; i < size_t(count); ++i) ASSERT_EQ(x_rows[n * row + i], x[i * kLanes + n]);
    EXPECT_TRUE(x_rows.intact());
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuElementwise,
                         ::testing::ValuesIn(runnable_cpu_kernels()), testing::instruction_set);

}  // namespace
}  // namespace digitron
