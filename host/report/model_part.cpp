#include "host/report/model_part.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/data/png_image.h"
#include "host/report/comparison.h"
#include "host/report/curves.h"
#include "host/report/figures.h"
#include "host/report/text.h"

namespace digitron {

namespace {

using Blocks = std::vector<Block>;

constexpr size_t kMostWrong = 48;
constexpr size_t kMostFilters = 64;
constexpr size_t kMostWeightImages = 30;
constexpr int kMostEpochRows = 100;
constexpr size_t kMostSlug = 40;

// "2-lenet-5": the beginning of this model's picture names.
std::string picture_name(const RunGroup& group, size_t index, const std::string& what) {
  const std::string words = slug(group.label, kMostSlug);
  return fmt::format("{}{}{}-{}", index, words.empty() ? "" : "-", words, what);
}

std::string run_name(const RunRecord& run) {
  const std::string seed = run.text({"settings", "seed"});
  return run.directory.string() + (seed.empty() ? "" : " (seed " + seed + ")");
}

std::string introduction(const RunGroup& group) {
  std::string text = counted(group.runs.size(), "run");
  text += (group.runs.size() == 1 ? ", seed " : ", seeds ") + group.seeds() + ".";
  const bool several = group.complete.size() > 1;
  if (group.runs[0]->text({"data", "is_mnist"}) == "no") {
    text += " Not MNIST: " + group.runs[0]->text({"data", "description"}) + ".";
  }
  if (group.last_epoch) {
    const auto final_accuracy = group.final_figure(&EpochRecord::test_accuracy);
    text += fmt::format(" Test accuracy after epoch {}: {}{}; best of any epoch: {}.",
                        *group.last_epoch, percent_text(final_accuracy),
                        several ? " (" + percent_range_text(final_accuracy) + ")" : "",
                        percent_text(group.best_test_accuracy()));
  }
  if (several) {
    text +=
        " Figures are means over the runs; ranges, and the bands of the curves, reach from the "
        "lowest to the highest.";
  }
  const size_t left_out = group.runs.size() - group.complete.size();
  if (left_out > 0) {
    text += fmt::format(" {} did not get as far as epoch {} and {} left out of all figures.",
                        counted(left_out, "run"), *group.last_epoch, left_out == 1 ? "is" : "are");
  }
  return text;
}

void add_problems(Blocks& blocks, const RunGroup& group) {
  for (const RunRecord* run : group.runs) {
    for (const std::string& problem : run->problems) {
      blocks.emplace_back(Notice{run_name(*run) + ": " + problem});
    }
  }
}

// "6x5" and "6 * 5" with the sign of multiplication.
std::string with_times_signs(std::string text) {
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    const auto is_digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text[i] == 'x' && is_digit(i - 1) && is_digit(i + 1)) text.replace(i, 1, "\u00d7");
  }
  return replaced(std::move(text), " * ", " \u00d7 ");
}

// plan_rows without work and memory.
Table parameter_table(const Plan& plan) {
  constexpr size_t kColumns = 5;
  Table table{"", "llllr", plan_rows(plan), true, {}};
  for (size_t i = 0; i < table.rows.size(); ++i) {
    Row& row = table.rows[i];
    row.resize(kColumns);
    if (i == 0 || i > plan.layers.size()) continue;
    const size_t sum = row.back().rfind("= ");
    if (sum != std::string::npos) {
      row.back() = row.back().substr(0, sum + 2) + grouped(parameter_count(plan.layers[i - 1]));
    }
    for (size_t column = 1; column < kColumns; ++column) {
      row[column] = row[column] == "-" ? "" : with_times_signs(row[column]);
    }
  }
  return table;
}

void add_parameters(Blocks& blocks, const RunGroup& group) {
  blocks.emplace_back(Heading{3, "Parameters"});
  const std::optional<Plan>& plan = group.runs[0]->plan;
  if (!plan) {
    blocks.emplace_back(Notice{"The layers are not known, so there is no table of parameters."});
    return;
  }
  Table table = parameter_table(*plan);
  const auto parameters = static_cast<int64_t>(plan->parameter_count);
  table.caption = fmt::format(
      "Inputs of a unit (channels \u00d7 kernel \u00d7 kernel in a convolution) times units, plus "
      "one bias a unit. {} parameters are {} bytes in fp32; a training step of {} images takes "
      "{:.1f} MFLOP.",
      grouped(parameters), grouped(parameters * static_cast<int64_t>(sizeof(float))), plan->batch,
      static_cast<double>(plan->flops_forward + plan->flops_backward) / 1e6);
  blocks.emplace_back(table);
}

Picture curves_picture(const RunGroup& group, Metric train, Metric test, double scale, Plot plot,
                       const std::string& caption) {
  Curve training = curve_of(group, train, scale);
  training.title = "Training";
  training.colour = 1;
  training.dashed = true;
  Curve testing = curve_of(group, test, scale);
  testing.title = "Test";
  plot.curves = {training, testing};
  return {plot.name, draw(plot), caption};
}

void add_curves(Blocks& blocks, const RunGroup& group, size_t index) {
  blocks.emplace_back(Heading{3, "Curves"});
  if (group.epoch_count() == 0) {
    blocks.emplace_back(Notice{"No epoch is on record, so there are no curves."});
    return;
  }
  blocks.emplace_back(Pictures{
      {curves_picture(group, &EpochRecord::train_loss, &EpochRecord::test_loss, 1,
                      {picture_name(group, index, "loss"), "Loss", true, {}},
                      "Loss, on a logarithmic scale. Training: mean over the epoch while the "
                      "weights move. Test: after the epoch."),
       curves_picture(group, &EpochRecord::train_accuracy, &EpochRecord::test_accuracy, 100,
                      {picture_name(group, index, "accuracy"), "Accuracy (%)", false, {}},
                      "Accuracy; training and test as for the loss.")}});
}

Row epoch_row(const RunGroup& group, int epoch) {
  const auto at = [&](Metric metric) { return group.at_epoch(epoch, metric); };
  Row row{std::to_string(epoch),
          loss_text(at(&EpochRecord::train_loss)),
          percent_text(at(&EpochRecord::train_accuracy)),
          loss_text(at(&EpochRecord::test_loss)),
          percent_text(at(&EpochRecord::test_accuracy)),
          seconds_text(at(&EpochRecord::seconds)),
          rate_text(at(&EpochRecord::images_per_second))};
  if (group.complete.size() > 1) {
    row.insert(row.begin() + 5, percent_range_text(at(&EpochRecord::test_accuracy)));
  }
  return row;
}

void add_epochs(Blocks& blocks, const RunGroup& group) {
  const int count = group.epoch_count();
  if (count == 0) return;
  blocks.emplace_back(Heading{3, "Epochs"});
  Table table{"", "rrrrrrr", {}, false, {}};
  table.rows = {{"Epoch", "Train loss", "Train accuracy", "Test loss", "Test accuracy", "Training",
                 "Images/s"}};
  if (group.complete.size() > 1) {
    table.alignment += 'r';
    table.rows[0].insert(table.rows[0].begin() + 5, "Lowest to highest");
    table.caption = fmt::format("Means over {}. ", counted(group.complete.size(), "run"));
  }
  const int step = (count + kMostEpochRows - 1) / kMostEpochRows;
  for (int epoch = 1; epoch <= count; ++epoch) {
    if (epoch % step == 0 || epoch == 1 || epoch == count) {
      table.rows.push_back(epoch_row(group, epoch));
    }
  }
  if (step > 1) table.caption += fmt::format("Every {}th epoch of {}.", step, count);
  blocks.emplace_back(table);
}

// Of the first complete run that has a checkpoint, else of the first run that has one.
const RunRecord* run_to_evaluate(const RunGroup& group) {
  for (const auto* runs : {&group.complete, &group.runs}) {
    for (const RunRecord* run : *runs) {
      if (!run->parameters.empty()) return run;
    }
  }
  return nullptr;
}

Table confusion_matrix(const Confusion& counts) {
  constexpr double kStrongest = 0.75;
  Table table{
      "Rows are the truth, columns the prediction; the last column is the share of each "
      "digit that was recognised.",
      std::string(kClasses + 2, 'r'),
      {},
      false,
      {}};
  Row& head = table.rows.emplace_back(Row{"Truth"});
  for (int c = 0; c < kClasses; ++c) head.push_back(std::to_string(c));
  head.emplace_back("Recall");
  int64_t most_errors = 1;
  for (size_t i = 0; i < kClasses; ++i) {
    for (size_t j = 0; j < kClasses; ++j) {
      if (i != j) most_errors = std::max(most_errors, counts[i][j]);
    }
  }
  table.shade.emplace_back();
  for (size_t truth = 0; truth < kClasses; ++truth) {
    Row& row = table.rows.emplace_back(Row{std::to_string(truth)});
    std::vector<double>& shade = table.shade.emplace_back(std::vector<double>{0});
    for (size_t guess = 0; guess < kClasses; ++guess) {
      const int64_t count = counts[truth][guess];
      row.push_back(count == 0 ? "\u00b7" : grouped(count));
      const double share = static_cast<double>(count) / static_cast<double>(most_errors);
      shade.push_back(truth == guess ? 0.16 : -kStrongest * share);
    }
    row.push_back(recall_text(counts, truth));
  }
  return table;
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

void add_wrong_images(Blocks& blocks, const Evaluation& evaluation, const std::string& name) {
  blocks.emplace_back(Heading{3, "Wrong images"});
  const size_t count = evaluation.wrong.size();
  if (count == 0) {
    blocks.emplace_back(Paragraph{"None: every test image was recognised."});
    return;
  }
  Tiles tiles{name, "", {}, 56};
  const size_t shown = std::min(count, kMostWrong);
  tiles.caption = fmt::format(
      "{} of the {} wrong images, most confident first: truth \u2192 guess, and the guess\u2019s "
      "probability.",
      shown == count ? "All" : "The first " + std::to_string(shown), count);
  for (size_t i = 0; i < shown; ++i) {
    const WrongImage& wrong = evaluation.wrong[i];
    const auto pixels = std::span(evaluation.test->images)
                            .subspan(wrong.index * size_t{kImagePixels}, kImagePixels);
    tiles.tiles.push_back({grey_png(kImageSide, kImageSide, pixels),
                           fmt::format("{} \u2192 {}", wrong.truth, wrong.guess),
                           fmt::format("{:.1f}%", 100 * wrong.confidence)});
  }
  blocks.emplace_back(tiles);
}

void add_evaluation(Blocks& blocks, const RunGroup& group, size_t index, DataSources& sources) {
  blocks.emplace_back(Heading{3, "Confusion matrix"});
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
  const Evaluation evaluation = evaluate_run(*run, std::get<std::shared_ptr<const Dataset>>(test));
  const double accuracy = evaluation.accuracy();
  blocks.emplace_back(Paragraph{fmt::format(
      "The checkpoint of {} on {} test images: {}, {} wrong.{}", run_name(*run),
      grouped(evaluation.test->count()), percent(accuracy),
      grouped(static_cast<int64_t>(evaluation.wrong.size())), difference_text(*run, accuracy))});
  blocks.emplace_back(confusion_matrix(evaluation.confusion));
  add_wrong_images(blocks, evaluation, picture_name(group, index, "wrong"));
}

void add_first_layer(Blocks& blocks, const RunGroup& group, size_t index) {
  const RunRecord* run = run_to_evaluate(group);
  if (run == nullptr) return;
  WeightPictures weights = first_layer_pictures(*run, kMostFilters);
  if (weights.pictures.empty()) return;
  if (!weights.is_convolution) {
    weights.pictures.resize(std::min(weights.pictures.size(), kMostWeightImages));
  }
  const size_t shown = weights.pictures.size();
  blocks.emplace_back(Heading{3, weights.is_convolution ? "Filters of the first convolution"
                                                        : "Weights of the first layer"});
  Tiles tiles{picture_name(group, index, "weights"), "", {}, 72};
  tiles.caption = fmt::format(
      "{} {} of {}, {}\u00d7{} weights each, of {}: negative blue, zero white, positive red.",
      shown == weights.count ? "The" : fmt::format("The first {} of", shown),
      counted(weights.count, weights.is_convolution ? "filter" : "unit"), weights.layer,
      weights.pictures[0].height, weights.pictures[0].width, run_name(*run));
  for (size_t i = 0; i < shown; ++i) {
    tiles.tiles.push_back({std::move(weights.pictures[i].png), std::to_string(i + 1), ""});
  }
  blocks.emplace_back(std::move(tiles));
}

}  // namespace

Blocks model_blocks(const RunGroup& group, size_t index, DataSources& sources) {
  Blocks blocks{Heading{2, group.label}, Paragraph{introduction(group)}};
  add_problems(blocks, group);
  add_parameters(blocks, group);
  add_curves(blocks, group, index);
  add_epochs(blocks, group);
  add_evaluation(blocks, group, index, sources);
  add_first_layer(blocks, group, index);
  return blocks;
}

}  // namespace digitron
