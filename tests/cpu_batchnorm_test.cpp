// Batch normalisation and dropout in lanes against the plain loops of the reference.
#include <gtest/gtest.h>

#include "host/cpu/stages/stage.h"
#include "host/shared/dropout.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using Values = std::vector<double>;

class CpuBatchNorm : public testing::CpuKernelsTest {};

Shape random_activation(Random& random) {
  return {random.between(1, 5), random.between(1, 9), random.between(1, 11)};
}

// The first `count` samples of (kLanes, ...).
Values first(const Values& values, int count) {
  return {values.begin(), values.begin() + std::ptrdiff_t(values.size()) / kLanes * count};
}

TEST_P(CpuBatchNorm, Moments) {
  Random random(91);
  for (int trial = 0; trial < 40; ++trial) {
    const Shape shape = random_activation(random);
    const int count = random.between(1, kLanes);
    const double offset = trial % 2 ? 5000 : 0;  // beside deviations of about 1
    LaneTensor x(shape);
    x.set(random.reals(size_t(kLanes) * shape.count(), offset - 2, offset + 2));
    const Values exact = first(x.values(), count);
    std::vector<Moments> moments(size_t(shape.channels));
    kernels_.channel_moments(moments.data(), x.view(), count);
    Values mean(moments.size()), variance(moments.size());
    reference::batchnorm_statistics(mean.data(), variance.data(), exact.data(), shape, count);
    const double values = double(count) * shape.height * shape.width;
    for (size_t c = 0; c < moments.size(); ++c) {
      EXPECT_TRUE(std::abs(moments[c].mean - mean[c]) <= 2e-6) << trial;
      EXPECT_TRUE(std::abs(moments[c].squares / values - variance[c]) <= 2e-6) << trial;
    }
  }
}

struct Constants {
  explicit Constants(int channels, Random& random) {
    for (auto* array : {&center, &scale, &third, &fourth}) {
      *array = random.reals<float>(size_t(channels));
    }
    if (random.chance(30)) scale[0] = 0;
  }
  Affine affine() const { return {center.data(), scale.data(), third.data()}; }
  AffineGradient gradient() const {
    return {center.data(), scale.data(), third.data(), fourth.data()};
  }
  std::vector<float> center, scale, third, fourth;
};

size_t channel_of(size_t i, const Shape& shape) {
  return i / (size_t(shape.height) * shape.width) % size_t(shape.channels);
}

Values mapped(const Values& x, const Constants& constants, const Shape& shape) {
  Values y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = channel_of(i, shape);
    y.push_back((x[i] - double(constants.center[c])) * double(constants.scale[c]) +
                double(constants.third[c]));
  }
  return y;
}

TEST_P(CpuBatchNorm, Forward) {
  Random random(92);
  for (int trial = 0; trial < 40; ++trial) {
    const Shape shape = random_activation(random);
    const bool relu = random.chance(50);
    const Constants constants(shape.channels, random);
    LaneTensor x(shape, random), y(shape);
    kernels_.batchnorm_forward(y.view(), x.view(), constants.affine(), relu);
    Values expected = mapped(x.values(), constants, shape);
    for (double& value : expected) value = relu ? std::max(0.0, value) : value;
    EXPECT_TRUE(is_near(y.values(), expected, 1e-6));
    EXPECT_TRUE(y.intact());
  }
}

struct Pooled {
  MaxPool2d pool;
  Shape in, out;
};

Pooled random_pooled(Random& random) {
  const int kernel = random.between(1, 4);
  Pooled pooled{{kernel, kernel}, random_activation(random), {}};
  pooled.in.height += kernel - 1;
  pooled.in.width += kernel - 1;
  pooled.out = output_shape(pooled.pool, pooled.in);
  return pooled;
}

// Elements that no window covers included.
TEST_P(CpuBatchNorm, PoolingBothWays) {
  Random random(93);
  for (int trial = 0; trial < 60; ++trial) {
    const auto [pool, in, out] = random_pooled(random);
    const bool relu = random.chance(50);
    const bool through_relu = random.chance(50);
    const int count = random.between(1, kLanes);
    const Window window{pool.kernel, pool.kernel, pool.stride};
    const Constants constants(in.channels, random);
    LaneTensor x(in, random), taken(out), y(out), dy(out, random), dx(in);
    kernels_.batchnorm_pool_take(taken.view(), x.view(), constants.scale.data(), window);
    kernels_.batchnorm_forward(y.view(), taken.view(), constants.affine(), relu);
    const Values z = mapped(x.values(), constants, in);
    Values pooled(y.values().size());
    std::vector<size_t> winner(pooled.size());
    reference::maxpool_forward(pooled.data(), winner.data(), z.data(), pool, in, out, kLanes);
    Values d = dy.values();
    for (size_t i = 0; i < pooled.size(); ++i) {
      if (!relu || pooled[i] > 0) continue;
      pooled[i] = d[i] = 0;
    }
    EXPECT_TRUE(is_near(y.values(), pooled, 1e-6, 1e-7));

    Guarded<float> sums(size_t(2) * in.channels * kLanes);
    if (relu) kernels_.relu_backward(dy.view(), dy.view(), y.view(), 1.0f);
    kernels_.batchnorm_sums(sums.data(), sums.data() + in.channels * kLanes, dy.view(),
                            taken.view(), constants.center.data());
    Values expected_sums(sums.size()), expected_dx(z.size());
    const Values exact_x = x.values();
    const size_t of_sample = size_t(out.count());
    for (size_t i = 0; i < d.size(); ++i) {
      const size_t c = channel_of(i, out), lane = i / of_sample;
      const double difference = exact_x[winner[i]] - double(constants.center[c]);
      expected_sums[c * kLanes + lane] += d[i] * difference;
      expected_sums[(size_t(in.channels) + c) * kLanes + lane] += d[i];
      expected_dx[winner[i]] += d[i] * double(constants.scale[c]);
    }
    EXPECT_TRUE(is_near(sums.values(), expected_sums, 1e-6));

    kernels_.batchnorm_pool_backward(dx.view(), dy.view(), x.view(), constants.scale.data(),
                                     constants.gradient(), window, count, through_relu);
    for (size_t i = 0; i < z.size(); ++i) {
      const size_t c = channel_of(i, in);
      expected_dx[i] += (exact_x[i] - double(constants.center[c])) * double(constants.third[c]) +
                        double(constants.fourth[c]);
      const bool live = i / size_t(in.count()) < size_t(count);
      if (!live || (through_relu && exact_x[i] <= 0)) expected_dx[i] = 0;
    }
    EXPECT_TRUE(is_near(dx.values(), expected_dx, 1e-6));
    EXPECT_TRUE(taken.intact() && y.intact() && dx.intact() && sums.intact());
  }
}

TEST_P(CpuBatchNorm, Backward) {
  Random random(94);
  for (int trial = 0; trial < 40; ++trial) {
    const Shape shape = random_activation(random);
    const bool through_relu = random.chance(50);
    const int count = random.between(1, kLanes);
    const Constants constants(shape.channels, random);
    LaneTensor x(shape, random), dy(shape, random), dx(shape);
    Guarded<float> sums(size_t(2) * shape.channels * kLanes);
    kernels_.batchnorm_sums(sums.data(), sums.data() + shape.channels * kLanes, dy.view(), x.view(),
                            constants.center.data());
    kernels_.batchnorm_backward(dx.view(), dy.view(), x.view(), constants.gradient(), count,
                                through_relu);
    const Values xs = x.values(), d = dy.values();
    Values expected_sums(sums.size()), expected;
    for (size_t i = 0; i < xs.size(); ++i) {
      const size_t c = channel_of(i, shape), lane = i / size_t(shape.count());
      const double difference = xs[i] - double(constants.center[c]);
      expected_sums[c * kLanes + lane] += d[i] * difference;
      expected_sums[(size_t(shape.channels) + c) * kLanes + lane] += d[i];
      const bool kept = lane < size_t(count) && (!through_relu || xs[i] > 0);
      expected.push_back(kept ? double(constants.scale[c]) * d[i] +
                                    difference * double(constants.third[c]) +
                                    double(constants.fourth[c])
                              : 0);
    }
    EXPECT_TRUE(is_near(sums.values(), expected_sums, 1e-6));
    EXPECT_TRUE(is_near(dx.values(), expected, 1e-6));
    kernels_.batchnorm_backward(dy.view(), dy.view(), x.view(), constants.gradient(), count,
                                through_relu);  // in place
    EXPECT_EQ(dy.values(), dx.values());
    EXPECT_TRUE(dx.intact() && dy.intact() && sums.intact());
  }
}

TEST_P(CpuBatchNorm, ZerosOfARaggedBlockStayZeros) {
  LaneTensor x({1, 1, 2}), dy({1, 1, 2}), dx({1, 1, 2});
  x.set(Values(2 * kLanes, 1));
  dy.set(Values(2 * kLanes, 0));
  const float one = 1;
  kernels_.batchnorm_backward(dx.view(), dy.view(), x.view(), {&one, &one, &one, &one}, 3, false);
  for (size_t i = 0; i < 2 * kLanes; ++i) EXPECT_EQ(dx.values()[i], i < 6 ? 1 : 0);
}

// The same elements as the reference, to the last bit.
TEST_P(CpuBatchNorm, DropoutDrawsWhatTheReferenceDraws) {
  Random random(95);
  for (int trial = 0; trial < 30; ++trial) {
    const Shape shape = random_activation(random);
    const auto count = static_cast<uint32_t>(shape.count());
    const float p = trial % 5 == 0 ? 0.0f : static_cast<float>(random.real(0, 0.95));
    const DropoutDraw draw{(uint64_t{7} << 33) + uint64_t(trial), 1000000u * uint32_t(trial),
                           uint32_t(random.between(0, 40))};
    const int row = random.between(0, 3) * 1000 * kLanes;
    LaneTensor x(shape, random), y(shape);
    const DropoutLayer layer{draw.seed, draw.step,  draw.layer, uint32_t(Purpose::kDropout),
                             p,         1 / (1 - p)};
    const int half = random.between(0, shape.channels);  // a thread may take some of the channels
    for (const Range part : {Range{0, half}, Range{half, shape.channels}}) {
      kernels_.dropout(channels_of(y.view(), part), channels_of(x.view(), part), layer, row,
                       part.first * shape.plane(), shape.count());
    }
    Values expected = x.values();
    for (size_t i = 0; i < expected.size(); ++i) {
      const auto lane = uint32_t(i) / count, element = uint32_t(i) % count;
      const RandomWords words =
          dropout_words(draw, (uint32_t(row) + lane) * dropout_quads(count) + element / 4);
      const float factor = dropout_factor(words.word[element % 4], p, layer.scale);
      expected[i] = static_cast<double>(static_cast<float>(expected[i]) * factor);
    }
    EXPECT_EQ(y.values(), expected);
    EXPECT_TRUE(y.intact());
    kernels_.dropout(x.view(), x.view(), layer, row, 0, shape.count());  // in place
    EXPECT_EQ(x.values(), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuBatchNorm, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
