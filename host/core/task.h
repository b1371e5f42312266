// What a data set asks of a model that is trained on it: it belongs to both.
#pragma once

#include <string>
#include <vector>

#include "host/shared/pixel_form.h"

namespace digitron {

struct Shape {
  int channels;
  int height;
  int width;
  bool vector = false;  // what a linear layer makes: no longer an image

  int plane() const { return height * width; }
  int count() const { return channels * height * width; }
  bool operator==(const Shape&) const = default;
};

// Images of one form, and the classes that they are told apart into. By default MNIST's.
struct Task {
  Shape image{1, 28, 28};
  std::vector<std::string> classes{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  // Of each channel, where the brightest pixel is 1.
  std::vector<float> mean{0.1307f};
  std::vector<float> deviation{0.3081f};

  int class_count() const { return static_cast<int>(classes.size()); }
  bool operator==(const Task&) const = default;
};

inline constexpr int kMostClasses = 256;  // a label is a byte

// "0", "1", and so on: of a data set that names none.
std::vector<std::string> numbered_classes(int count);

// Whether a picture of any size can be prepared as MNIST prepared its own: of one digit, 28x28.
bool shows_digits(const Task& task);

// Throws InputError that begins with `where` and says what is impossible: no or too many channels
// or classes, a side of 0 or above 512, a mean or deviation that is no number, a deviation of 0.
void check_task(const Task& task, const std::string& where);

PixelForm pixel_form(const Task& task);

// "28x28", "3x32x32"
std::string form_text(const Shape& image);

}  // namespace digitron
