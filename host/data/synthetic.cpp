#include "host/data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>

#include "host/core/model.h"
#include "host/data/digit_strokes.h"
#include "host/data/parallel_ranges.h"
#include "host/shared/philox.h"

namespace digitron {

namespace {

// As MNIST's.
constexpr int kClasses = 10;
constexpr int kImageSide = 28;
constexpr int kImagePixels = kImageSide * kImageSide;

// The random numbers of one image, in sequence.
class ImageRandom {
 public:
  ImageRandom(uint64_t seed, Split split, int index)
      : seed_(seed), split_(static_cast<uint32_t>(split)), counter_(uint64_t{kDraws} * index) {}

  uint32_t word() {
    if (used_ == 4) {
      words_ = random_words(seed_, Purpose::kSynthetic, split_, counter_++);
      used_ = 0;
    }
    return words_.word[used_++];
  }

  uint32_t below(uint32_t count) { return word() % count; }
  float uniform(float low, float high) { return low + (high - low) * uniform01(word()); }

  // Near enough to normal, and never farther than 3 deviations.
  float normal(float deviation) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += uniform(-1, 1);
    return sum * deviation * 0.866f;
  }

 private:
  static constexpr uint32_t kDraws = 1024;  // more than an image takes, four words each

  uint64_t seed_;
  uint32_t split_;
  uint64_t counter_;
  RandomWords words_{};
  int used_ = 4;
};

// A hand: bends the plane smoothly, so that strokes that meet still meet, then stretches, slants,
// turns, scales and shifts it. Maps a glyph's points to pixels.
class Hand {
 public:
  explicit Hand(ImageRandom& random) {
    for (Wave& wave : waves_) {
      const float frequency = random.uniform(1.0f, 3.0f);
      const float angle = random.uniform(0, 2 * std::numbers::pi_v<float>);
      wave = {frequency * std::cos(angle), frequency * std::sin(angle),
              random.uniform(0, 2 * std::numbers::pi_v<float>), random.normal(0.1f),
              random.normal(0.1f)};
    }
    const float height = random.uniform(7.5f, 10.5f);  // half of it, in pixels
    const float width = height * random.uniform(0.6f, 1.15f);
    const float slant = random.normal(0.22f);
    const float angle = random.normal(0.14f);
    const float cosine = std::cos(angle), sine = std::sin(angle);
    xx_ = cosine * width, xy_ = (-cosine * slant - sine) * height;
    yx_ = sine * width, yy_ = (cosine - sine * slant) * height;
    x0_ = kImageSide / 2.0f + random.normal(1.0f);
    y0_ = kImageSide / 2.0f + random.normal(1.0f);
  }

  Point operator()(Point p) const {
    Point bent{p.x * 0.01f, p.y * 0.01f};
    for (const Wave& wave : waves_) {
      const float s = std::sin((wave.fx * p.x + wave.fy * p.y) * 0.01f + wave.phase);
      bent.x += wave.dx * s;
      bent.y += wave.dy * s;
    }
    return {x0_ + xx_ * bent.x + xy_ * bent.y, y0_ + yx_ * bent.x + yy_ * bent.y};
  }

 private:
  struct Wave {
    float fx, fy, phase, dx, dy;
  };
  std::array<Wave, 3> waves_;
  float xx_, xy_, yx_, yy_, x0_, y0_;
};

// Squared distances of all pixels' centres to the nearest piece of a stroke, as far as the pen
// reaches.
class Distances {
 public:
  explicit Distances(float reach) : reach_(reach) { squared_.fill(1e9f); }

  void add_segment(Point a, Point b) {
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float scale = 1 / std::max(dx * dx + dy * dy, 1e-12f);
    const auto [left, right] = pixels_between(std::min(a.x, b.x), std::max(a.x, b.x));
    const auto [top, bottom] = pixels_between(std::min(a.y, b.y), std::max(a.y, b.y));
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x) {
        const float px = static_cast<float>(x) + 0.5f - a.x;
        const float py = static_cast<float>(y) + 0.5f - a.y;
        const float t = std::clamp((px * dx + py * dy) * scale, 0.0f, 1.0f);
        const float ex = px - t * dx, ey = py - t * dy;
        float& nearest = squared_[static_cast<size_t>(y) * kImageSide + x];
        nearest = std::min(nearest, ex * ex + ey * ey);
      }
  }

  float at(size_t pixel) const { return std::sqrt(squared_[pixel]); }

 private:
  std::pair<int, int> pixels_between(float low, float high) const {
    return {std::clamp(static_cast<int>(std::floor(low - reach_)), 0, kImageSide),
            std::clamp(static_cast<int>(std::ceil(high + reach_)), 0, kImageSide)};
  }

  float reach_;
  std::array<float, kImagePixels> squared_;
};

// Catmull and Rom's cubic from b to c, with neighbours a and d.
Point spline(Point a, Point b, Point c, Point d, float t) {
  const auto mix = [t](float p, float q, float r, float s) {
    return q + 0.5f * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
  };
  return {mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)};
}

void draw_stroke(std::span<const Point> points, Distances& distances) {
  constexpr int kPieces = 6;
  const size_t last = points.size() - 1;
  const bool closed = points[0].x == points[last].x && points[0].y == points[last].y;
  for (size_t i = 0; i < last; ++i) {
    const Point before = points[i > 0 ? i - 1 : closed ? last - 1 : 0];
    const Point after = points[i + 2 <= last ? i + 2 : closed ? 1 : last];
    Point from = points[i];
    for (int piece = 1; piece <= kPieces; ++piece) {
      const float t = static_cast<float>(piece) / kPieces;
      const Point to = spline(before, points[i], points[i + 1], after, t);
      distances.add_segment(from, to);
      from = to;
    }
  }
}

void draw_digit(int digit, ImageRandom& random, std::span<uint8_t> image) {
  const auto& glyphs = glyphs_of(digit);
  const Glyph& glyph = glyphs[random.below(static_cast<uint32_t>(glyphs.size()))];
  const Hand hand(random);
  const float radius = random.uniform(0.6f, 1.7f);  // of the pen, in pixels
  const float ink = random.uniform(200, 255);
  const float noise = random.uniform(0, 60);

  Distances distances(radius + 0.5f);
  std::vector<Point> points;
  for (const Stroke& stroke : glyph) {
    points.clear();
    for (const Point& point : stroke) points.push_back(hand(point));
    draw_stroke(points, distances);
  }
  for (size_t pixel = 0; pixel < image.size(); pixel += 4) {
    const uint32_t grain = random.word();
    for (size_t i = 0; i < 4; ++i) {
      const float drawn = ink * std::clamp(radius + 0.5f - distances.at(pixel + i), 0.0f, 1.0f);
      const float grey = drawn + noise * (static_cast<float>(grain >> (8 * i) & 255) / 127.5f - 1);
      image[pixel + i] = static_cast<uint8_t>(std::clamp(grey + 0.5f, 0.0f, 255.0f));
    }
  }
}

}  // namespace

Dataset synthetic_digits(uint64_t seed, Split split, int count) {
  Dataset data;
  data.labels.resize(static_cast<size_t>(count));
  data.images.resize(static_cast<size_t>(count) * kImagePixels);
  for_ranges(count, [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      ImageRandom random(seed, split, i);
      const int digit = static_cast<int>(random.below(kClasses));
      data.labels[static_cast<size_t>(i)] = static_cast<uint8_t>(digit);
      draw_digit(
          digit, random,
          std::span(data.images).subspan(static_cast<size_t>(i) * kImagePixels, kImagePixels));
    }
  });
  return data;
}

}  // namespace digitron
