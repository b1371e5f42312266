// A model's text, both ways.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "host/core/error.h"
#include "host/core/model.h"
#include "host/core/model_text.h"
#include "host/core/plan.h"

namespace digitron {

namespace {

// Reads one layer after another out of the text and knows the column it is at.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  // The number of views that the text begins with, with the comma after it; 1 where it does not.
  int views() {
    skip_spaces();
    const size_t start = at_;
    if (take_word() != "views") {
      at_ = start;
      return 1;
    }
    const int count = number("a number of views, as in 'views 5'", 1, kMostViews);
    skip_spaces();
    if (!take(',')) fail(at_, "expected ',' and layers after the views");
    return count;
  }

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
    if (word == "views") fail(start, "views come first, before all layers");
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

  int number(const std::string& what, int least = 1, int most = 65536) {
    skip_spaces();
    int value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument) fail(at_, "expected " + what);
    if (error != std::errc() || value < least || value > most) {
      fail(at_,
           "a number here must be from " + std::to_string(least) + " to " + std::to_string(most));
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
                     "; the text is " + quoted_line(text_));
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string window_text(int kernel, int stride) {
  return std::to_string(kernel) + (stride == kernel ? "" : " stride " + std::to_string(stride));
}

}  // namespace

std::string quoted_line(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return std::iscntrl(c); }, ' ');
  return "'" + result + "'";
}

bool is_dropout_probability(float value) {
  return value >= 0 && value < 1;
}

std::string number_text(float value) {
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return {digits.data(), result.ptr};
}

Model parse_model(std::string_view text, const Task& task) {
  Model model{"", "", task, {}};
  Parser parser(text);
  model.views = parser.views();
  model.layers = parser.layers(task.image);
  model.id = model.name = to_text(model);
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

std::string to_text(const Model& model) {
  std::string text = model.views == 1 ? "" : "views " + std::to_string(model.views);
  for (const Layer& layer : model.layers) text += (text.empty() ? "" : ", ") + to_text(layer);
  return text;
}

}  // namespace digitron
