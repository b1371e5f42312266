#include "host/core/task.h"

#include <algorithm>
#include <cmath>

#include "host/core/error.h"

namespace digitron {

std::vector<std::string> numbered_classes(int count) {
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(std::max(count, 0)));
  for (int c = 0; c < count; ++c) names.push_back(std::to_string(c));
  return names;
}

bool shows_digits(const Task& task) {
  return task.image == Shape{1, 28, 28} && task.classes == Task{}.classes;
}

void check_task(const Task& task, const std::string& where) {
  constexpr int kMostSide = 512;  // maps of an augmentation stay in 32 bits
  const auto in_range = [](int value, int most) { return value >= 1 && value <= most; };
  const Shape& image = task.image;
  if (!in_range(image.channels, kMostChannels) || !in_range(image.height, kMostSide) ||
      !in_range(image.width, kMostSide)) {
    throw InputError(where + ": images of " + form_text(image) + "; they can have 1 to " +
                     std::to_string(kMostChannels) + " channels and sides of 1 to " +
                     std::to_string(kMostSide) + " pixels");
  }
  if (task.classes.size() < 2 || task.classes.size() > kMostClasses) {
    throw InputError(where + ": " + std::to_string(task.classes.size()) +
                     " classes; there must be 2 to " + std::to_string(kMostClasses));
  }
  const auto channels = static_cast<size_t>(image.channels);
  const auto finite = [](float value) { return std::isfinite(value); };
  const auto positive = [](float value) { return std::isfinite(value) && value > 0; };
  if (task.mean.size() != channels || !std::all_of(task.mean.begin(), task.mean.end(), finite) ||
      task.deviation.size() != channels ||
      !std::all_of(task.deviation.begin(), task.deviation.end(), positive)) {
    throw InputError(where + ": each of the " + std::to_string(channels) +
                     " channels must have a mean and a deviation above 0");
  }
}

PixelForm pixel_form(const Task& task) {
  PixelForm form{task.image.channels, task.image.height, task.image.width, {}, {}};
  std::copy(task.mean.begin(), task.mean.end(), form.mean);
  std::copy(task.deviation.begin(), task.deviation.end(), form.deviation);
  return form;
}

std::string form_text(const Shape& image) {
  return (image.channels == 1 ? "" : std::to_string(image.channels) + "x") +
         std::to_string(image.height) + "x" + std::to_string(image.width);
}

}  // namespace digitron
