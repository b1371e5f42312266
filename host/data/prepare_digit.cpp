#include <algorithm>
#include <cmath>
#include <utility>

#include "host/core/error.h"
#include "host/data/png_image.h"

namespace digitron {

namespace {

constexpr int kImageSide = 28;
constexpr int kDigitSide = 20;     // MNIST's digits fit into 20x20 of the 28x28
constexpr int kMinContrast = 16;   // under this an image is blank: noise, not ink
constexpr float kInkLevel = 0.2f;  // what is fainter, the strongest ink being 1, is ground
constexpr double kRounding = 1e-4;

// What is drawn on an image: 0 on the ground, 1 where the ink is strongest.
struct Ink {
  const GreyImage& image;
  int ground;
  int strongest;

  float operator()(int y, int x) const {
    const int pixel = image.pixels[static_cast<size_t>(y) * image.width + x];
    const float ink = static_cast<float>(pixel - ground) / static_cast<float>(strongest - ground);
    return ink < kInkLevel ? 0.0f : ink;
  }
};

struct Box {
  int left;
  int top;
  int width;
  int height;
};

struct Picture {
  int width;
  int height;
  std::vector<float> values;  // (height, width)
  float at(int y, int x) const { return values[static_cast<size_t>(y) * width + x]; }
};

int border_median(const GreyImage& image) {
  const size_t width = image.width;
  const size_t last_row = (image.height - size_t{1}) * width;
  std::vector<uint8_t> border;
  for (size_t x = 0; x < width; ++x)
    border.insert(border.end(), {image.pixels[x], image.pixels[last_row + x]});
  for (size_t row = 0; row <= last_row; row += width)
    border.insert(border.end(), {image.pixels[row], image.pixels[row + width - 1]});
  const auto middle = border.begin() + static_cast<ptrdiff_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end());
  return *middle;
}

// The smallest box that holds all ink.
Box ink_box(const Ink& ink) {
  int left = ink.image.width, right = -1, top = ink.image.height, bottom = -1;
  for (int y = 0; y < ink.image.height; ++y)
    for (int x = 0; x < ink.image.width; ++x) {
      if (ink(y, x) == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  return {left, top, right - left + 1, bottom - top + 1};
}

// The mean of value(i) over [a, b), whose ends may lie inside an i.
template <typename Value>
float mean_over(double a, double b, const Value& value) {
  double sum = 0;
  for (int i = static_cast<int>(a); i < b; ++i)
    sum += (std::min<double>(b, i + 1) - std::max<double>(a, i)) * value(i);
  return static_cast<float>(sum / (b - a));
}

// Each new pixel is the mean of the area that it covers, up or down, first along rows, then
// columns.
Picture resize(const Ink& ink, const Box& box, int width, int height) {
  const double step_x = static_cast<double>(box.width) / width;
  const double step_y = static_cast<double>(box.height) / height;
  Picture rows{width, box.height, {}};
  for (int y = 0; y < box.height; ++y)
    for (int x = 0; x < width; ++x)
      rows.values.push_back(mean_over(x * step_x, std::min<double>((x + 1) * step_x, box.width),
                                      [&](int i) { return ink(box.top + y, box.left + i); }));

  Picture picture{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      picture.values.push_back(mean_over(y * step_y, std::min<double>((y + 1) * step_y, box.height),
                                         [&](int i) { return rows.at(i, x); }));
  return picture;
}

// Where the picture's corner goes: MNIST's centres of mass lie from 14 to 15, evenly. Nothing is
// cut off.
std::pair<int, int> centred_corner(const Picture& picture) {
  double mass = 0, mass_x = 0, mass_y = 0;
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      const float ink = picture.at(y, x);
      mass += ink, mass_x += ink * (x + 0.5), mass_y += ink * (y + 0.5);
    }
  const auto corner = [](double centre, int size) {
    const int first = static_cast<int>(std::ceil(kImageSide / 2.0 - centre - kRounding));
    return std::clamp(first, 0, kImageSide - size);
  };
  return {corner(mass_x / mass, picture.width), corner(mass_y / mass, picture.height)};
}

// Thin strokes fade when they are scaled down; the strongest pixel becomes white again.
std::vector<uint8_t> place(const Picture& picture) {
  const auto [left, top] = centred_corner(picture);
  const float scale = 255.0f / *std::max_element(picture.values.begin(), picture.values.end());
  std::vector<uint8_t> digit(size_t{kImageSide} * kImageSide, 0);
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x)
      digit[static_cast<size_t>(top + y) * kImageSide + left + x] =
          static_cast<uint8_t>(std::lround(picture.at(y, x) * scale));
  return digit;
}

}  // namespace

std::vector<uint8_t> prepare_digit(const GreyImage& image) {
  const auto [darkest, lightest] = std::minmax_element(image.pixels.begin(), image.pixels.end());
  if (image.pixels.empty() || *lightest - *darkest < kMinContrast)
    throw InputError(image.name + " is blank: nothing is drawn on it; pass a picture of a digit");

  const int ground = border_median(image);
  const bool light_ground = ground - *darkest > *lightest - ground;
  if (image.width == kImageSide && image.height == kImageSide) {
    std::vector<uint8_t> digit = image.pixels;
    if (light_ground)
      for (uint8_t& pixel : digit) pixel = static_cast<uint8_t>(255 - pixel);
    return digit;
  }

  const Ink ink{image, ground, light_ground ? *darkest : *lightest};
  const Box box = ink_box(ink);
  const double scale = static_cast<double>(kDigitSide) / std::max(box.width, box.height);
  const auto scaled = [&](int side) {
    return std::max(1, static_cast<int>(std::lround(side * scale)));
  };
  return place(resize(ink, box, scaled(box.width), scaled(box.height)));
}

}  // namespace digitron
