#include "host/core/model.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "host/core/error.h"
#include "host/core/model_text.h"

namespace digitron {

namespace {

struct NamedModel {
  const char* id;
  const char* name;
  const char* text;
};

// LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
// recognition", 1998, in the form taught today: ReLU, max-pooling, full connections. 61,706
// parameters; the MLP has 81,080, LeNet-5 Improved 61,750.
constexpr std::array kModels{
    NamedModel{"lenet5", "LeNet-5",
               "conv 6x5 pad 2, relu, maxpool 2, conv 16x5, relu, maxpool 2, "
               "fc 120, relu, fc 84, relu, fc 10"},
    NamedModel{"custom-mlp", "Custom MLP", "fc 90, relu, fc 70, relu, fc 50, relu, fc 10"},
    NamedModel{"lenet5-improved", "LeNet-5 Improved",
               "conv 6x5 pad 2, relu, bn, maxpool 2, conv 16x5, relu, bn, maxpool 2, "
               "fc 120, relu, dropout 0.5, fc 84, relu, dropout 0.5, fc 10"},
    // LeNet-5 itself: what makes it the best is how it is trained (host/train/settings_table.cpp),
    // and that it looks at an image five times.
    NamedModel{"lenet5-best", "LeNet-5 Best",
               "views 5, conv 6x5 pad 2, relu, maxpool 2, conv 16x5, relu, maxpool 2, "
               "fc 120, relu, fc 84, relu, fc 10"},
    // Small, for one epoch to 99 % (host/train/settings_table.cpp); 10,558 parameters.
    NamedModel{"mnist-99", "MNIST-99",
               "conv 6x5 stride 2, relu, conv 16x3, maxpool 2, bn, relu, conv 40x3, bn, relu, "
               "fc 10"},
};

// Written for ten classes.
Model named_model(const NamedModel& known, const Task& task) {
  Model model = parse_model(known.text, task);
  model.id = known.id;
  model.name = known.name;
  model.layers.back() = Linear{task.class_count()};
  return model;
}

// "LeNet_5", "lenet-5" and "lenet5" are one name.
std::string normalised(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '-' && c != '_') {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kModels));
  for (const NamedModel& known : kModels) names.emplace_back(known.id);
  return names;
}

std::optional<std::string> model_id(std::string_view name_or_text) {
  const std::string wanted = normalised(name_or_text);
  if (wanted == "mlp") return "custom-mlp";
  for (const NamedModel& known : kModels) {
    if (wanted == normalised(known.id)) return known.id;
  }
  // A text has a number or several layers; a single word is a name that nobody knows.
  if (name_or_text.find_first_of(", ") != std::string_view::npos) return std::nullopt;
  std::string names;
  for (const std::string& name : model_names()) names += (names.empty() ? "" : ", ") + name;
  throw InputError("unknown model " + quoted_line(name_or_text) + ": use one of " + names +
                   ", or a text such as 'conv 8x5, relu, maxpool 2, fc 10'");
}

Model find_model(std::string_view name_or_text, const Task& task) {
  const std::optional<std::string> id = model_id(name_or_text);
  if (!id) return parse_model(name_or_text, task);
  const auto* const known = std::find_if(kModels.begin(), kModels.end(),
                                         [&](const NamedModel& each) { return each.id == *id; });
  return named_model(*known, task);
}

Model with_task(Model model, const Task& task) {
  const bool named = model.id != to_text(model);
  model.task = task;
  if (named && !model.layers.empty()) model.layers.back() = Linear{task.class_count()};
  return model;
}

Model with_dropout(Model model, double probability) {
  const auto value = static_cast<float>(probability);
  if (!is_dropout_probability(value)) {
    throw InputError("--dropout is " + number_text(value) + "; give a number from 0 to below 1");
  }
  const bool from_text = model.id == to_text(model);
  int changed = 0;
  for (Layer& layer : model.layers) {
    if (!std::holds_alternative<Dropout>(layer)) continue;
    layer = Dropout{value + 0.0f};
    ++changed;
  }
  if (changed == 0) {
    throw InputError("--dropout is given, but " + model.name +
                     " has no dropout layer; leave it out, or take --model lenet5-improved");
  }
  if (from_text) model.id = model.name = to_text(model);
  return model;
}

}  // namespace digitron
