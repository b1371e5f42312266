#include "host/core/model.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <iterator>

#include "host/core/error.h"
#include "host/core/plan.h"

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
    // LeNet-5 itself: what makes it the best is how it is trained (host/train/settings_table.cpp).
    NamedModel{"lenet5-best", "LeNet-5 Best",
               "conv 6x5 pad 2, relu, maxpool 2, conv 16x5, relu, maxpool 2, "
               "fc 120, relu, fc 84, relu, fc 10"},
    // Small, for one epoch to 99 % (host/train/settings_table.cpp); 10,558 parameters.
    NamedModel{"mnist-99", "MNIST-99",
               "conv 6x5 stride 2, relu, conv 16x3, maxpool 2, bn, relu, conv 40x3, bn, relu, "
               "fc 10"},
};

// The user's text inside a message, which is one line: each control character becomes a space, so
// that columns stay.
std::string quoted(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return std::iscntrl(c); }, ' ');
  return "'" + result + "'";
}

// As the float that layers hold: what rounds to 1 is out. Nor is NaN one.
bool is_dropout_probability(float value) {
  return value >= 0 && value < 1;
}

// The shortest text that reads as the same float.
std::string number_text(float value) {
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return {digits.data(), result.ptr};
}

// Reads one layer after another out of the text and knows the column it is at.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Layer> layers(Shape shape) {
    std::vector<Layer> result;
    do {
      skip_spaces();
      const size_t start = at_;
      result.push_back(layer());
      skip_spaces();
      try {
        shape = output_shape(result.back(), shape);
      } catch (const InputError& error) {
        fail(start, error.what());
      }
    } while (take(','));
    if (at_ < text_.size()) fail(at_, "expected ',' or the end");
    return result;
  }

 private:
  Layer layer() {
    const size_t start = at_;
    const std::string_view word = take_word();
    if (word == "conv") return conv();
    if (word == "maxpool") return pool<MaxPool2d>("maxpool");
    if (word == "avgpool") return pool<AvgPool2d>("avgpool");
    if (word == "fc") return Linear{number("a number of outputs, as in 'fc 120'")};
    if (word == "relu") return ReLU{};
    if (word == "bn") return BatchNorm2d{};
    if (word == "dropout") return Dropout{probability()};
    fail(start, "expected conv, maxpool, avgpool, fc, relu, bn or dropout");
  }

  Layer conv() {
    Conv2d conv{};
    conv.out_channels = number("channels x kernel, as in 'conv 6x5'");
    if (!take('x')) fail(at_, "expected channels x kernel, as in 'conv 6x5'");
    conv.kernel = number("a kernel size, as in 'conv 6x5'");
    for (std::string_view word = option(); !word.empty(); word = option()) {
      if (word == "stride") {
        conv.stride = number("a stride, as in 'stride 2'");
      } else if (word == "pad") {
        conv.padding = number("a padding, as in 'pad 2'", 0);
      } else {
        fail(at_ - word.size(), "conv knows the options stride and pad");
      }
    }
    return conv;
  }

  template <class Pool>
  Layer pool(const std::string& name) {
    Pool pool{};
    pool.kernel = number("a window size, as in '" + name + " 2'");
    pool.stride = pool.kernel;
    for (std::string_view word = option(); !word.empty(); word = option()) {
      if (word != "stride") fail(at_ - word.size(), name + " knows the option stride");
      pool.stride = number("a stride, as in 'stride 2'");
    }
    return pool;
  }

  std::string_view option() {
    skip_spaces();
    return take_word();
  }

  int number(const std::string& what, int least = 1) {
    constexpr int kMost = 65536;
    skip_spaces();
    int value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument) fail(at_, "expected " + what);
    if (error != std::errc() || value < least || value > kMost) {
      fail(at_,
           "a number here must be from " + std::to_string(least) + " to " + std::to_string(kMost));
    }
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

  float probability() {
    skip_spaces();
    float value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument) {
      fail(at_, "expected a probability, as in 'dropout 0.5'");
    }
    if (error != std::errc() || !is_dropout_probability(value)) {
      fail(at_, "a probability here must be from 0 to below 1");
    }
    at_ += static_cast<size_t>(end - begin);
    return value + 0.0f;  // never -0
  }

  std::string_view take_word() {
    const size_t start = at_;
    while (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_]))) ++at_;
    return text_.substr(start, at_ - start);
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  [[noreturn]] void fail(size_t position, const std::string& message) const {
    throw InputError("model text, column " + std::to_string(position + 1) + ": " + message +
                     "; the text is " + quoted(text_));
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string window_text(int kernel, int stride) {
  return std::to_string(kernel) + (stride == kernel ? "" : " stride " + std::to_string(stride));
}

// Written for ten classes.
Model named_model(const NamedModel& known, const Task& task) {
  Model model{known.id, known.name, task, Parser(known.text).layers(task.image)};
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
  throw InputError("unknown model " + quoted(name_or_text) + ": use one of " + names +
                   ", or a text such as 'conv 8x5, relu, maxpool 2, fc 10'");
}

Model find_model(std::string_view name_or_text, const Task& task) {
  const std::optional<std::string> id = model_id(name_or_text);
  if (!id) return parse_model(name_or_text, task);
  const auto* const known = std::find_if(kModels.begin(), kModels.end(),
                                         [&](const NamedModel& each) { return each.id == *id; });
  return named_model(*known, task);
}

Model parse_model(std::string_view text, const Task& task) {
  Model model;
  model.task = task;
  model.layers = Parser(text).layers(task.image);
  model.id = to_text(model);
  model.name = model.id;
  return model;
}

Model with_task(Model model, const Task& task) {
  const bool named = model.id != to_text(model);
  model.task = task;
  if (named && !model.layers.empty()) model.layers.back() = Linear{task.class_count()};
  return model;
}

std::string to_text(const Layer& layer) {
  struct Visitor {
    std::string operator()(const Conv2d& c) const {
      return "conv " + std::to_string(c.out_channels) + "x" + std::to_string(c.kernel) +
             (c.stride == 1 ? "" : " stride " + std::to_string(c.stride)) +
             (c.padding == 0 ? "" : " pad " + std::to_string(c.padding));
    }
    std::string operator()(const MaxPool2d& p) const {
      return "maxpool " + window_text(p.kernel, p.stride);
    }
    std::string operator()(const AvgPool2d& p) const {
      return "avgpool " + window_text(p.kernel, p.stride);
    }
    std::string operator()(const Linear& l) const { return "fc " + std::to_string(l.out_features); }
    std::string operator()(const ReLU&) const { return "relu"; }
    std::string operator()(const BatchNorm2d&) const { return "bn"; }
    std::string operator()(const Dropout& d) const {
      return "dropout " + number_text(d.probability);
    }
  };
  return std::visit(Visitor{}, layer);
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

std::string to_text(const Model& model) {
  std::string text;
  for (const Layer& layer : model.layers) text += (text.empty() ? "" : ", ") + to_text(layer);
  return text;
}

}  // namespace digitron
