// prepare_digit of host/data/png_image.h.
#include <gmock/gmock.h>

#include <cmath>

#include "host/core/dataset.h"
#include "host/core/error.h"
#include "host/data/png_image.h"
#include "tests/data_testing.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;

// A rectangle of ink on ground, with noise-free edges.
GreyImage rectangle(int width, int height, int left, int top, int right, int bottom, uint8_t ground,
                    uint8_t ink) {
  GreyImage image{"rectangle", width, height,
                  std::vector<uint8_t>(static_cast<size_t>(width) * height, ground)};
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) image.pixels[static_cast<size_t>(y * width + x)] = ink;
  return image;
}

// The ink of (28, 28) inside a box, and everywhere: equal when none is outside.
void expect_only_box(const std::vector<uint8_t>& digit, int left, int top, int right, int bottom) {
  ASSERT_EQ(digit.size(), size_t{kImagePixels});
  for (int y = 0; y < kImageSide; ++y)
    for (int x = 0; x < kImageSide; ++x) {
      const bool inside = x >= left && x < right && y >= top && y < bottom;
      EXPECT_EQ(digit[static_cast<size_t>(y * kImageSide + x)], inside ? 255 : 0) << y << ',' << x;
    }
}

TEST(PrepareDigit, ScalesCropsAndCentres) {
  // 10 wide and 20 high in the end, from larger and from smaller, dark and light grounds.
  expect_only_box(prepare_digit(rectangle(200, 100, 120, 10, 160, 90, 0, 255)), 9, 4, 19, 24);
  expect_only_box(prepare_digit(rectangle(200, 100, 120, 10, 160, 90, 255, 0)), 9, 4, 19, 24);
  expect_only_box(prepare_digit(rectangle(12, 15, 1, 3, 6, 13, 20, 90)), 9, 4, 19, 24);
  expect_only_box(prepare_digit(rectangle(12, 15, 1, 3, 6, 13, 180, 90)), 9, 4, 19, 24);
  expect_only_box(prepare_digit(rectangle(900, 9, 100, 4, 800, 5, 255, 0)), 4, 14, 24, 15);
}

TEST(PrepareDigit, CentresByMassNotByBox) {
  GreyImage image = rectangle(100, 100, 20, 20, 60, 60, 0, 255);
  for (size_t x = 60; x < 80; ++x) image.pixels[40 * 100 + x] = 255;  // a hair to the right
  const auto digit = prepare_digit(image);
  double mass = 0, mass_x = 0, mass_y = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    mass += digit[static_cast<size_t>(i)];
    mass_x += digit[static_cast<size_t>(i)] * (i % kImageSide + 0.5);
    mass_y += digit[static_cast<size_t>(i)] * (i / kImageSide + 0.5);
  }
  EXPECT_TRUE(std::abs(mass_x / mass - 14.5) <= 0.51) << mass_x / mass;
  EXPECT_TRUE(std::abs(mass_y / mass - 14.5) <= 0.51) << mass_y / mass;
}

TEST(PrepareDigit, AveragesAreas) {
  // 30 pixels of checkerboard, 1 pixel each, become 20: no pixel may be all ink or all ground.
  GreyImage image = rectangle(50, 50, 10, 10, 40, 40, 0, 0);
  for (size_t y = 10; y < 40; ++y)
    for (size_t x = 10; x < 40; ++x) image.pixels[y * 50 + x] = (x + y) % 2 ? 200 : 100;
  const auto digit = prepare_digit(image);
  for (size_t y = 4; y < 24; ++y)
    for (size_t x = 4; x < 24; ++x) EXPECT_GT(digit[y * kImageSide + x], 150);
}

TEST(PrepareDigit, PreparedImagesAreOnlyInverted) {
  GreyImage image = rectangle(28, 28, 0, 2, 6, 9, 0, 240);  // neither centred nor 20 pixels high
  EXPECT_EQ(prepare_digit(image), image.pixels);
  const std::vector<uint8_t> dark = image.pixels;
  for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(255 - pixel);
  EXPECT_EQ(prepare_digit(image), dark);
}

TEST(PrepareDigit, BlankImageIsAnError) {
  for (const int side : {1, 28, 100})
    for (const uint8_t level : {uint8_t{0}, uint8_t{130}, uint8_t{255}}) {
      const GreyImage image = rectangle(side, side, 0, 0, 1, 1, level, level);
      EXPECT_THAT(error_of<InputError>([&] { prepare_digit(image); }),
                  AllOf(HasSubstr("rectangle"), HasSubstr("blank"), HasSubstr("pass a picture")));
    }
  EXPECT_THAT(error_of<InputError>([&] {
                prepare_digit(GreyImage{"none", 0, 0, {}});
              }),
              HasSubstr("none"));
}

}  // namespace
}  // namespace digitron
