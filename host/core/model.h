// What a network is: data only. Everything else (shapes, parameters, memory, work) is in its Plan.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/core/task.h"
#include "host/shared/batchnorm.h"

namespace digitron {

// Square kernels, PyTorch's rules: out = (in + 2 * padding - kernel) / stride + 1, rounded down.
struct Conv2d {
  int out_channels;
  int kernel;
  int stride = 1;
  int padding = 0;
  bool operator==(const Conv2d&) const = default;
};

struct MaxPool2d {
  int kernel;
  int stride;
  bool operator==(const MaxPool2d&) const = default;
};

// The mean of each window. No padding, so every window has kernel * kernel values.
struct AvgPool2d {
  int kernel;
  int stride;
  bool operator==(const AvgPool2d&) const = default;
};

// Takes its input flattened in (channel, row, column) order.
struct Linear {
  int out_features;
  bool operator==(const Linear&) const = default;
};

struct ReLU {
  bool operator==(const ReLU&) const = default;
};

// Over the batch and the plane of each channel, as in PyTorch: training normalises with the batch's
// biased variance; evaluation with running statistics, to which training steps add their mean and
// their unbiased variance.
struct BatchNorm2d {
  static constexpr double kEpsilon = kBatchNormEpsilon;
  static constexpr double kMomentum = kBatchNormMomentum;
  bool operator==(const BatchNorm2d&) const = default;
};

// In training each element becomes 0 with this probability and is scaled by 1 / (1 - probability)
// otherwise (host/shared/dropout.h draws); nothing happens at evaluation.
struct Dropout {
  float probability;  // in [0, 1)
  bool operator==(const Dropout&) const = default;
};

using Layer = std::variant<Conv2d, MaxPool2d, AvgPool2d, Linear, ReLU, BatchNorm2d, Dropout>;

struct Model {
  std::string id;    // what --model takes: "lenet5", or the text itself
  std::string name;  // what logs and reports print: "LeNet-5"
  Task task;         // what it takes, and tells apart
  std::vector<Layer> layers;
  int views = 1;  // of an image, whose mean logits evaluation and prediction take (views.h)
};

inline constexpr int kMostViews = 9;

// The names find_model knows, in the order help texts list them.
std::vector<std::string> model_names();

// The id of a model that is named, "lenet5" of "LeNet_5"; nothing for a text. Throws InputError
// that lists the names.
std::optional<std::string> model_id(std::string_view name_or_text);

// A model by name, or parsed from text when the argument is not a name; one with a name gets as
// many outputs as the task has classes. Throws InputError that lists the names, or points at the
// column of the text.
Model find_model(std::string_view name_or_text, const Task& task = {});

// Comma-separated layers: `conv 6x5 [stride S] [pad P]`, `maxpool K [stride S]`,
// `avgpool K [stride S]`, `fc N`, `relu`, `bn`, `dropout P`; before them there may be `views N`.
// Throws InputError that points at the column, also when the shapes do not work out from the task's
// images on.
Model parse_model(std::string_view text, const Task& task = {});

// The same model for another task: one with a name gets as many outputs as that has classes.
Model with_task(Model model, const Task& task);

// The canonical text of a model, which parse_model reads as the same layers and views.
std::string to_text(const Model& model);
std::string to_text(const Layer& layer);

// The model with another probability in each of its dropout layers. A model of a text gets the text
// that says so. Throws InputError when it has no such layer, or for one outside [0, 1).
Model with_dropout(Model model, double probability);

}  // namespace digitron
