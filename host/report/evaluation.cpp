#include "host/report/evaluation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "host/core/devices.h"
#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/png_image.h"
#include "host/text/statistics.h"

namespace digitron {

namespace {

constexpr size_t kChecksumShown = 12;  // digits, enough to tell two apart

// -1 is blue, 0 white, 1 red.
std::array<uint8_t, 3> diverging_colour(double value) {
  constexpr std::array<double, 3> kNegative{33, 102, 172};
  constexpr std::array<double, 3> kPositive{178, 24, 43};
  const std::array<double, 3>& end = value < 0 ? kNegative : kPositive;
  const double share = std::min(std::abs(value), 1.0);
  std::array<uint8_t, 3> colour{};
  for (size_t i = 0; i < 3; ++i) {
    colour[i] = static_cast<uint8_t>(std::lround(255 + share * (end[i] - 255)));
  }
  return colour;
}

WeightPicture weight_picture(std::span<const float> weights, int width, int height,
                             double largest) {
  std::vector<uint8_t> pixels;
  for (const float weight : weights) {
    const auto colour = diverging_colour(largest > 0 ? weight / largest : 0);
    pixels.insert(pixels.end(), colour.begin(), colour.end());
  }
  return {colour_png(width, height, pixels), width, height};
}

}  // namespace

const std::variant<Data, std::string>& DataSources::load(const std::string& source) {
  const auto entry = loaded_.find(source);
  if (entry != loaded_.end()) return entry->second;
  const auto load = [&]() -> std::variant<Data, std::string> {
    try {
      return load_data(source);
    } catch (const InputError& error) {
      return error.what();
    } catch (const MachineError& error) {
      return error.what();
    }
  };
  return loaded_.emplace(source, load()).first->second;
}

DataSources::TestSetOrReason DataSources::test_set(const RunRecord& run) {
  const std::string source = source_.empty() ? run.text({"data", "source"}) : source_;
  if (source.empty()) return "The run does not name its data set; give it with --data.";
  const auto& loaded = load(source);
  if (const auto* reason = std::get_if<std::string>(&loaded)) {
    return fmt::format("The run's data set cannot be read ({}). Give it with --data.", *reason);
  }
  const Data& data = std::get<Data>(loaded);
  const std::string expected = run.text({"data", "sha256"});
  if (data.sha256 != expected) {
    return fmt::format(
        "The data set at {} is not the one that the run learned from: the SHA-256 of its training "
        "images begins with {}, the run's with {}. Give the right one with --data.",
        source, data.sha256.substr(0, kChecksumShown),
        expected.empty() ? "nothing (it has none)" : expected.substr(0, kChecksumShown));
  }
  // The checksum is of the training images alone; MNIST is known by all four files.
  if (run.text({"data", "is_mnist"}) == "yes" && !data.is_mnist()) {
    return fmt::format("The run learned from MNIST, and the test set at {} is not MNIST's.",
                       source);
  }
  if (data.test->count() == 0) return fmt::format("The test set at {} has no images.", source);
  return data.test;
}

Evaluation evaluate(Engine& engine, std::shared_ptr<const Dataset> test) {
  const std::vector<float> logits = engine.predict(test->images);
  const auto count = static_cast<size_t>(engine.plan().classes());
  const std::vector<int> classes = predicted_classes(logits, engine.plan().classes());
  Evaluation result;
  result.confusion = confusion_counts(test->labels, classes, engine.plan().classes());
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::span<const float> row = std::span(logits).subspan(i * count, count);
    const bool right = classes[i] == test->labels[i];
    result.metrics += {cross_entropy(row, test->labels[i]), right ? 1 : 0, 1};
    const double probability = softmax(row)[static_cast<size_t>(classes[i])];
    const double confidence = std::isfinite(probability) ? probability : 0;  // logits overflowed
    add_answer(result.calibration, confidence, right);
    if (right) continue;
    result.wrong.push_back({i, test->labels[i], classes[i], confidence});
  }
  std::stable_sort(
      result.wrong.begin(), result.wrong.end(),
      [](const WrongImage& a, const WrongImage& b) { return a.confidence > b.confidence; });
  result.test = std::move(test);
  return result;
}

Evaluation evaluate_run(const RunRecord& run, std::shared_ptr<const Dataset> test) {
  const std::unique_ptr<Engine> engine = make_cpu_engine(*run.plan, 0);
  engine->set_state(State::kParameters, run.state.parameters);
  engine->set_state(State::kRunningStatistics, run.state.buffers);
  return evaluate(*engine, std::move(test));
}

const Evaluation& DataSources::evaluation(const RunRecord& run,
                                          const std::shared_ptr<const Dataset>& test) {
  const auto entry = evaluations_.find(&run);
  if (entry != evaluations_.end()) return entry->second;
  return evaluations_.emplace(&run, evaluate_run(run, test)).first->second;
}

ClassScores class_scores(const Confusion& counts, size_t of) {
  int64_t truth = 0, guessed = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    truth += counts[of][i];
    guessed += counts[i][of];
  }
  const auto share = [](int64_t part, int64_t whole) {
    return whole == 0 ? std::nullopt
                      : std::optional(static_cast<double>(part) / static_cast<double>(whole));
  };
  const int64_t right = counts[of][of];
  return {share(right, truth), share(right, guessed), share(2 * right, truth + guessed)};
}

double macro_f1(const Confusion& counts) {
  std::vector<double> scores;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (const auto f1 = class_scores(counts, i).f1) scores.push_back(*f1);
  }
  const std::optional<Statistics> all = statistics(scores);
  return all ? all->mean : 0;
}

std::vector<Mistake> frequent_mistakes(const Confusion& counts, size_t most) {
  std::vector<Mistake> mistakes;
  for (size_t truth = 0; truth < counts.size(); ++truth) {
    for (size_t guess = 0; guess < counts.size(); ++guess) {
      const int64_t count = counts[truth][guess];
      if (truth != guess && count > 0) mistakes.push_back({truth, guess, count});
    }
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.count > b.count; });
  mistakes.resize(std::min(mistakes.size(), most));
  return mistakes;
}

WeightPictures first_layer_pictures(const RunRecord& run, size_t most) {
  const auto layer =
      std::find_if(run.plan->layers.begin(), run.plan->layers.end(),
                   [](const PlannedLayer& planned) { return planned.parameters.has_value(); });
  if (layer == run.plan->layers.end()) return {};
  const Parameter& weight = run.plan->weight(*layer);
  WeightPictures result;
  result.layer = layer->name;
  result.is_convolution = weight.dims.size() == 4;
  const bool is_linear = weight.dims.size() == 2;
  if (layer->in.channels != 1 || !(result.is_convolution || is_linear)) return result;

  const int height = is_linear ? layer->in.height : static_cast<int>(weight.dims[2]);
  const int width = is_linear ? layer->in.width : static_cast<int>(weight.dims[3]);
  const std::span<const float> values =
      std::span(run.state.parameters).subspan(weight.offset, weight.count);
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(double{value}));
  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height);
  result.count = values.size() / pixels;
  for (size_t i = 0; i < std::min(result.count, most); ++i) {
    result.pictures.push_back(
        weight_picture(values.subspan(i * pixels, pixels), width, height, largest));
  }
  return result;
}

}  // namespace digitron
