// Test-time augmentation: the logits of a model of several views are the means of those that its
// network gives for views of an image, which is right more often than any one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/core/engine.h"

namespace digitron {

// How far a view is moved, in pixels; what comes in at the edges is black.
struct View {
  int right;
  int down;
};

// A model of N views has the first N: the image itself, a pixel to each side, a pixel along each
// diagonal.
inline constexpr View kViews[] = {{0, 0}, {1, 0},  {-1, 0}, {0, 1},  {0, -1},
                                  {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
static_assert(std::size(kViews) == kMostViews);

// images: (count, channels, height, width), of the form `image`.
std::vector<uint8_t> view_of(std::span<const uint8_t> images, const Shape& image, View view);

// An engine whose evaluate and predict are those of its plan's model: the engine itself, which
// knows one view, where the model has one.
std::unique_ptr<Engine> with_views(std::unique_ptr<Engine> engine);

}  // namespace digitron
