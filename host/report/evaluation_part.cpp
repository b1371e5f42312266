#include "host/report/evaluation_part.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/data/png_image.h"
#include "host/report/figures.h"

namespace digitron {

namespace {

using Blocks = std::vector<DocumentBlock>;

constexpr size_t kMostWrong = 48;
constexpr size_t kMostFilters = 64;
constexpr size_t kMostWeightImages = 30;

// White to full colour by the count, which is a mistake's unless it stands on the diagonal.
double shade_of(size_t truth, size_t guess, int64_t count, int64_t most_mistakes) {
  constexpr double kStrongest = 0.75;
  if (truth == guess) return 0.16;
  return -kStrongest * static_cast<double>(count) / static_cast<double>(most_mistakes);
}

Table confusion_matrix(const Task& task, const Confusion& counts) {
  Table table{
      "Rows are the truth, columns the prediction. In percent: recall, the share of the "
      "class\u2019s images that were recognised; precision, of what was taken for it, the share "
      "that is it; F1, their harmonic mean.",
      std::string(counts.size() + 4, 'r'),
      {},
      false,
      {}};
  Row& head = table.rows.emplace_back(Row{"Truth"});
  for (size_t c = 0; c < counts.size(); ++c) head.push_back(std::to_string(c));
  head.insert(head.end(), {"Recall", "Precision", "F1"});
  const std::vector<Mistake> worst = frequent_mistakes(counts, 1);
  const int64_t most_mistakes = worst.empty() ? 1 : worst[0].count;
  table.shade.emplace_back();
  for (size_t truth = 0; truth < counts.size(); ++truth) {
    Row& row = table.rows.emplace_back(Row{class_text(task, truth)});
    std::vector<double>& shade = table.shade.emplace_back(std::vector<double>{0});
    for (size_t guess = 0; guess < counts.size(); ++guess) {
      const int64_t count = counts[truth][guess];
      row.push_back(count == 0 ? "\u00b7" : grouped(count));
      shade.push_back(shade_of(truth, guess, count, most_mistakes));
    }
    const ClassScores scores = class_scores(counts, truth);
    for (const auto& score : {scores.recall, scores.precision, scores.f1}) {
      row.push_back(score ? fmt::format("{:.1f}", 100 * *score) : kNoFigure);
    }
  }
  return table;
}

// " Most often: 4 taken for 9: 6; 7 taken for 2: 5." and so on, of what happened more than once.
std::string mistakes_text(const Task& task, const Confusion& counts) {
  constexpr size_t kMost = 5;
  std::string text;
  for (const Mistake& mistake : frequent_mistakes(counts, kMost)) {
    if (mistake.count < 2) break;
    text += fmt::format("{}{} taken for {}: {}", text.empty() ? " Most often: " : "; ",
                        class_text(task, mistake.truth), class_text(task, mistake.guess),
                        grouped(mistake.count));
  }
  return text.empty() ? text : text + ".";
}

// What the run itself recorded last, where that is another figure than the checkpoint's here.
std::string difference_text(const RunRecord& run, double accuracy) {
  constexpr double kRounding = 0.001;  // between devices
  if (run.epochs.empty() || !run.epochs.back().test_accuracy) return "";
  const double recorded = *run.epochs.back().test_accuracy;
  if (std::abs(recorded - accuracy) <= kRounding) return "";
  return fmt::format(
      " The run recorded {} after its last epoch: the checkpoint is another epoch's.",
      percent(recorded));
}

// A PNG of one image of a data set: of its three channels the colours, of others the first in grey.
std::string image_png(const Shape& image, std::span<const uint8_t> pixels) {
  const auto plane = static_cast<size_t>(image.plane());
  if (image.channels != 3) return grey_png(image.width, image.height, pixels.first(plane));
  std::vector<uint8_t> colours;
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) colours.push_back(pixels[c * plane + i]);
  }
  return colour_png(image.width, image.height, colours);
}

Tiles wrong_images(const Evaluation& evaluation, const Shape& image, size_t begin, size_t end) {
  Tiles tiles{"", {}, 56};
  for (size_t i = begin; i < end; ++i) {
    const WrongImage& wrong = evaluation.wrong[i];
    const auto count = static_cast<size_t>(image.count());
    const auto pixels = std::span(evaluation.test->images).subspan(wrong.index * count, count);
    tiles.tiles.push_back({image_png(image, pixels),
                           fmt::format("{} \u2192 {}", wrong.truth, wrong.guess),
                           fmt::format("{:.1f}%", 100 * wrong.confidence)});
  }
  return tiles;
}

// The first of them open, as many again behind a fold.
void add_wrong_images(Blocks& blocks, const Evaluation& evaluation, const Shape& image) {
  blocks.emplace_back(Heading{3, "Wrong images"});
  const size_t count = evaluation.wrong.size();
  if (count == 0) {
    blocks.emplace_back(Paragraph{"None: every test image was recognised."});
    return;
  }
  const size_t open = std::min(count, kMostWrong / 2);
  const size_t shown = std::min(count, kMostWrong);
  Tiles tiles = wrong_images(evaluation, image, 0, open);
  tiles.caption = fmt::format(
      "{} of the {} wrong images, most confident first: truth \u2192 guess, and the guess\u2019s "
      "probability.",
      open == count ? "All" : "The first " + std::to_string(open), count);
  blocks.emplace_back(std::move(tiles));
  if (shown == open) return;
  blocks.emplace_back(Folded{fmt::format("The next {} wrong images", shown - open),
                             {wrong_images(evaluation, image, open, shown)}});
}

void add_evaluation(Blocks& blocks, const RunGroup& group, DataSources& sources) {
  blocks.emplace_back(Heading{3, "Confusion matrix and calibration"});
  const RunRecord* run = run_to_evaluate(group);
  if (run == nullptr) {
    blocks.emplace_back(
        Notice{"There is no checkpoint to evaluate, so there is no confusion matrix, no wrong "
               "image and no picture of the first layer."});
    return;
  }
  const DataSources::TestSetOrReason test = sources.test_set(*run);
  if (const auto* reason = std::get_if<std::string>(&test)) {
    blocks.emplace_back(Notice{"No confusion matrix and no wrong images. " + *reason});
    return;
  }
  const Evaluation& evaluation =
      sources.evaluation(*run, std::get<std::shared_ptr<const Dataset>>(test));
  const double accuracy = evaluation.metrics.accuracy();
  const Task& task = run->plan->model.task;
  blocks.emplace_back(Paragraph{
      fmt::format("The checkpoint of {} on {} test images: {}, {} wrong; F1, averaged over the "
                  "classes, {}.{}{}",
                  run_name(*run), grouped(evaluation.test->count()), percent(accuracy),
                  grouped(static_cast<int64_t>(evaluation.wrong.size())),
                  percent(macro_f1(evaluation.confusion)),
                  mistakes_text(task, evaluation.confusion), difference_text(*run, accuracy))});
  blocks.emplace_back(Columns{{confusion_matrix(task, evaluation.confusion)},
                              {Pictures{{reliability_diagram(evaluation.calibration)}}}});
  add_wrong_images(blocks, evaluation, task.image);
}

void add_first_layer(Blocks& blocks, const RunGroup& group) {
  const RunRecord* run = run_to_evaluate(group);
  if (run == nullptr) return;
  WeightPictures weights = first_layer_pictures(*run, kMostFilters);
  if (weights.pictures.empty()) return;
  if (!weights.is_convolution) {
    weights.pictures.resize(std::min(weights.pictures.size(), kMostWeightImages));
  }
  const size_t shown = weights.pictures.size();
  Tiles tiles{"", {}, 72};
  tiles.caption = fmt::format(
      "{} {} of {}, {}\u00d7{} weights each, of {}: negative blue, zero white, positive red.",
      shown == weights.count ? "The" : fmt::format("The first {} of", shown),
      counted(weights.count, weights.is_convolution ? "filter" : "unit"), weights.layer,
      weights.pictures[0].height, weights.pictures[0].width, run_name(*run));
  for (size_t i = 0; i < shown; ++i) {
    tiles.tiles.push_back({std::move(weights.pictures[i].png), std::to_string(i + 1), ""});
  }
  blocks.emplace_back(Folded{weights.is_convolution
                                 ? "Filters of the first convolution of " + group.label
                                 : "Weights of the first layer of " + group.label,
                             {std::move(tiles)}});
}

}  // namespace

const RunRecord* run_to_evaluate(const RunGroup& group) {
  for (const auto* runs : {&group.complete, &group.runs}) {
    for (const RunRecord* run : *runs) {
      if (!run->state.parameters.empty()) return run;
    }
  }
  return nullptr;
}

std::string run_name(const RunRecord& run) {
  const std::string seed = run.text({"settings", "seed"});
  return run.directory.string() + (seed.empty() ? "" : " (seed " + seed + ")");
}

Blocks evaluation_blocks(const RunGroup& group, DataSources& sources) {
  Blocks blocks;
  add_evaluation(blocks, group, sources);
  add_first_layer(blocks, group);
  return blocks;
}

}  // namespace digitron
