// The random affine maps: against the same mathematics in floating point, what they do to a
// picture, and every instruction set's sampling against the plain one.
#include "host/shared/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "host/cpu/cpu_engine.h"
#include "host/reference/reference_engine.h"
#include "tests/cpu_testing.h"
#include "tests/mnist_form.h"
#include "tests/models.h"

namespace digitron {
namespace {

using testing::Random;

constexpr Augmentation kAll{3 << 16, 20000, 13107, 15000};
constexpr AffineMap kIdentity{1 << 16, 0, 0, 0, 1 << 16, 0};

std::vector<uint8_t> sampled(const std::vector<uint8_t>& image, const AffineMap& map) {
  std::vector<uint8_t> out;
  for (int row = 0; row < kImageSide; ++row)
    for (int column = 0; column < kImageSide; ++column)
      out.push_back(sample(image.data(), kMnistForm, map, row, column));
  return out;
}

// The map that torchvision's RandomAffine makes of the same draws: source = C + M^-1 (p - C - t),
// M = rotation * scale * shear.
std::array<double, 6> exact_map(const Augmentation& limits, uint64_t seed, uint32_t epoch,
                                uint32_t image) {
  const RandomWords a = random_words(seed, Purpose::kAugmentation, epoch, image);
  const RandomWords b =
      random_words(seed, Purpose::kAugmentation, epoch, image + (uint64_t{1} << 32));
  const auto draw = [](uint32_t word, int32_t limit) {
    return (2 * (word / 4294967296.0) - 1) * limit / 65536.0;
  };
  const double angle = draw(a.word[0], limits.rotate);
  const double tx = draw(a.word[1], limits.shift);
  const double ty = draw(a.word[2], limits.shift);
  const double scale = 1 + draw(a.word[3], limits.scale);
  const double shear = draw(b.word[0], limits.shear);
  // M = scale * (cos, -sin; sin, cos) * (1, tan; 0, 1)
  const double m00 = scale * std::cos(angle);
  const double m01 = scale * (std::cos(angle) * std::tan(shear) - std::sin(angle));
  const double m10 = scale * std::sin(angle);
  const double m11 = scale * (std::sin(angle) * std::tan(shear) + std::cos(angle));
  const double determinant = m00 * m11 - m01 * m10;
  const double xx = m11 / determinant, xy = -m01 / determinant;
  const double yx = -m10 / determinant, yy = m00 / determinant;
  constexpr double kCentre = 13.5;
  return {xx, xy, kCentre - xx * (kCentre + tx) - xy * (kCentre + ty),
          yx, yy, kCentre - yx * (kCentre + tx) - yy * (kCentre + ty)};
}

TEST(Augment, MapsAreTheExactOnes) {
  constexpr Augmentation kFarthest{5 << 16, kMostAngle, kMostScale, kMostAngle};
  for (const Augmentation& limits :
       {kAll, kFarthest, Augmentation{.shift = 1 << 16}, Augmentation{.rotate = 10000},
        Augmentation{.scale = 10000}, Augmentation{.shear = 10000}}) {
    for (uint32_t image = 0; image < 500; ++image) {
      const AffineMap map = draw_map(limits, kMnistForm, 5, 2, image);
      const std::array<double, 6> exact = exact_map(limits, 5, 2, image);
      const int32_t entries[] = {map.xx, map.xy, map.x0, map.yx, map.yy, map.y0};
      // A factor near 0 makes large entries, which are as exact as the factor.
      const double largest = std::max(
          {std::abs(exact[0]), std::abs(exact[1]), std::abs(exact[3]), std::abs(exact[4])});
      for (size_t i = 0; i < 6; ++i) {
        const double tolerance = (i % 3 == 2 ? 0.002 : 1e-4) * (1 + largest);
        EXPECT_TRUE(std::abs(entries[i] / 65536.0 - exact[i]) <= tolerance)
            << image << ", entry " << i << ": " << entries[i] / 65536.0 << ", not " << exact[i];
      }
    }
  }
}

TEST(Augment, MapsDependOnSeedEpochAndImage) {
  const auto x0 = [](uint64_t seed, uint32_t epoch, uint32_t image) {
    return draw_map(kAll, kMnistForm, seed, epoch, image).x0;
  };
  EXPECT_EQ(x0(1, 2, 3), x0(1, 2, 3));
  EXPECT_NE(x0(1, 2, 3), x0(2, 2, 3));
  EXPECT_NE(x0(1, 2, 3), x0(1, 3, 3));
  EXPECT_NE(x0(1, 2, 3), x0(1, 2, 4));
}

TEST(Augment, WithoutLimitsIsTheIdentity) {
  const AffineMap map = draw_map({}, kMnistForm, 1, 1, 1);
  EXPECT_EQ(map.xx, kIdentity.xx);
  EXPECT_EQ(map.xy, 0);
  EXPECT_EQ(map.x0, 0);
  EXPECT_EQ(map.yx, 0);
  EXPECT_EQ(map.yy, kIdentity.yy);
  EXPECT_EQ(map.y0, 0);
  Random random(1);
  const std::vector<uint8_t> image = testing::random_image(random);
  EXPECT_EQ(sampled(image, map), image);
}

TEST(Augment, ShiftsByPixelsAndHalves) {
  std::vector<uint8_t> image(kImagePixels);
  image[10 * kImageSide + 10] = 200;
  AffineMap map = kIdentity;
  map.x0 = -(2 << 16);  // what is at 10 comes to 12
  map.y0 = 3 << 16;
  EXPECT_EQ(sampled(image, map)[7 * kImageSide + 12], 200);
  map.x0 = -(1 << 15);
  map.y0 = 0;
  EXPECT_EQ(sampled(image, map)[10 * kImageSide + 10], 100);
  EXPECT_EQ(sampled(image, map)[10 * kImageSide + 11], 100);
}

TEST(Augment, OutsideIsBlack) {
  const std::vector<uint8_t> white(kImagePixels, 255);
  AffineMap map = kIdentity;
  for (const int32_t far : {28 << 16, 1 << 24, -(28 << 16), -(1 << 24)}) {
    map.x0 = far;
    EXPECT_EQ(sampled(white, map), std::vector<uint8_t>(kImagePixels)) << far;
  }
  map.x0 = 1 << 16;
  const std::vector<uint8_t> shifted = sampled(white, map);
  for (int i = 0; i < kImagePixels; ++i) EXPECT_EQ(shifted[size_t(i)], i % 28 == 27 ? 0 : 255);
}

class CpuAugment : public testing::CpuKernelsTest {};

TEST_P(CpuAugment, TheSameBytesAsThePlainLoops) {
  Random random(96);
  for (uint32_t i = 0; i < 200; ++i) {
    const std::vector<uint8_t> image = testing::random_image(random);
    AffineMap map = draw_map(kAll, kMnistForm, 3, 4, i);
    if (i % 4 == 0)
      map = draw_map({28 << 16, kMostAngle, kMostScale, kMostAngle}, kMnistForm, 3, 4, i);
    std::vector<uint8_t> out(kImagePixels + 2, 77);
    kernels_.augment_image(out.data() + 1, image.data(), kImageSide, kImageSide, map);
    EXPECT_EQ(std::vector<uint8_t>(out.begin() + 1, out.end() - 1), sampled(image, map)) << i;
    EXPECT_EQ(out.front(), 77);
    EXPECT_EQ(out.back(), 77);
  }
}

// A step without learning tells the losses of the images as they were drawn.
TEST_P(CpuAugment, EnginesDrawTheSameImages) {
  Task wide = coloured_task();  // whose rows are vectors and more
  wide.image = {2, 9, 21};
  for (const Model& model : {lenet5(), custom_mlp(), parse_model("fc 12", coloured_task()),
                             parse_model("fc 12", wide)}) {
    const Plan plan = make_plan(model, 48);
    const auto data = testing::random_dataset(110, 5, model.task);
    CpuEngine engine(plan, 2, kernels_);
    ReferenceEngine<double> reference(plan);
    std::vector<std::vector<Metrics>> steps;
    for (Engine* each : std::initializer_list<Engine*>{&engine, &reference}) {
      each->load(data, data);
      each->set_state(State::kParameters, initial_parameters(plan, 1));
      each->configure({.seed = 8, .augmentation = kAll});
      steps.push_back(testing::train_steps(*each, 3, 0, 3, 0.02f));
    }
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(std::abs(steps[0][i].loss() - steps[1][i].loss()) <= 2e-5 * steps[1][i].loss());
    }
    EXPECT_TRUE(testing::is_near(engine.state(State::kParameters),
                                 reference.state(State::kParameters), 1e-5));
    reference.configure({.seed = 8});
    reference.set_state(State::kParameters, initial_parameters(plan, 1));
    EXPECT_FALSE(testing::train_steps(reference, 3, 0, 1, 0.02f)[0].loss_sum ==
                 steps[1][0].loss_sum)
        << "distorted";
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuAugment, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
