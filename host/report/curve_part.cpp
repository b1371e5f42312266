#include "host/report/curve_part.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "host/report/curves.h"
#include "host/report/figures.h"

namespace digitron {

namespace {

using Blocks = std::vector<DocumentBlock>;

constexpr int kMostEpochRows = 100;

// One metric of a group over its epochs, times `scale`.
Curve curve_of(const RunGroup& group, Metric metric, double scale) {
  Curve curve;
  for (int epoch = 1; epoch <= group.epoch_count(); ++epoch) {
    const std::optional<Statistics> s = group.at_epoch(epoch, metric);
    if (!s) continue;
    curve.points.push_back({epoch, scale * s->mean, scale * s->lowest, scale * s->highest});
  }
  return curve;
}

// A figure that is taken in training, and of the sets held out.
struct Figure {
  Metric train, validation, test;
  double scale;
};
constexpr Figure kLoss{&EpochRecord::train_loss, &EpochRecord::validation_loss,
                       &EpochRecord::test_loss, 1};
constexpr Figure kAccuracy{&EpochRecord::train_accuracy, &EpochRecord::validation_accuracy,
                           &EpochRecord::test_accuracy, 100};

// Training, validation and test.
std::vector<Curve> curves_of(const RunGroup& group, const Figure& figure) {
  Curve training = curve_of(group, figure.train, figure.scale);
  training.title = "Training";
  training.colour = 1;
  training.dashed = true;
  Curve validation = curve_of(group, figure.validation, figure.scale);
  validation.title = "Validation";
  validation.colour = 2;
  Curve testing = curve_of(group, figure.test, figure.scale);
  testing.title = "Test";
  return {training, validation, testing};
}

std::vector<Curve> all_curves(std::span<const RunGroup> groups, const Figure& figure) {
  std::vector<Curve> all;
  for (const RunGroup& group : groups) {
    for (Curve& curve : curves_of(group, figure)) all.push_back(std::move(curve));
  }
  return all;
}

std::vector<Curve> test_curves(std::span<const RunGroup> groups, const Figure& figure) {
  std::vector<Curve> curves;
  for (size_t i = 0; i < groups.size(); ++i) {
    Curve& curve = curves.emplace_back(curve_of(groups[i], figure.test, figure.scale));
    curve.title = groups[i].label;
    curve.colour = i;
  }
  return curves;
}

const char* zoom_text(const Plot& plot) {
  return plot.zoom.empty() ? "" : " The upper panel enlarges the grey field of the lower one.";
}

// "mean of 3 seeds (1, 2, 3), the band from the lowest to the highest", "one seed (1)".
std::string seeds_text(const RunGroup& group) {
  const std::string seeds = RunGroup{"", group.complete, group.complete, {}}.seeds();
  if (group.complete.size() == 1) return "one seed (" + seeds + ")";
  return fmt::format("mean of {} seeds ({}), the band from the lowest to the highest",
                     group.complete.size(), seeds);
}

// The plots with their captions, but for those that have no figure: gnuplot makes no picture of
// them.
void add_pictures(Blocks& blocks, const std::vector<std::pair<Plot, std::string>>& plots) {
  Pictures row;
  for (const auto& [plot, caption] : plots) {
    if (!values_of(plot.curves).empty()) row.pictures.push_back({draw(plot), caption});
  }
  if (!row.pictures.empty()) blocks.emplace_back(std::move(row));
}

void add_comparison(Blocks& blocks, std::span<const RunGroup> groups) {
  if (groups.size() < 2) return;
  Plot accuracy{"comparison-accuracy", "Test accuracy (%)", false, test_curves(groups, kAccuracy)};
  accuracy.zoom = zoom_of(accuracy.curves);
  const Plot loss{"comparison-loss", "Test loss (log scale)", true, test_curves(groups, kLoss)};
  const std::string means = "mean over its seeds, the band from the lowest to the highest.";
  add_pictures(blocks, {{loss, "Test loss of each model after every epoch: " + means},
                        {accuracy, "Test accuracy of each model after every epoch: " + means +
                                       zoom_text(accuracy)}});
}

// What an epoch ends with: the validation set of runs that have one, else the test set.
bool has_validation(const RunGroup& group) {
  const auto last = group.at_epoch(group.epoch_count(), &EpochRecord::validation_loss);
  return last.has_value();
}

bool is_above_zero(const RunRecord& run, const char* setting) {
  const nlohmann::ordered_json* value = run.find({"settings", setting});
  return value != nullptr && value->is_number() && value->get<double>() > 0;
}

// What is done to a network, or its images, in training alone.
std::string handicaps(const RunRecord& run) {
  const auto is_dropout = [](const PlannedLayer& layer) {
    return std::holds_alternative<Dropout>(layer.layer);
  };
  const bool drops =
      run.plan && std::any_of(run.plan->layers.begin(), run.plan->layers.end(), is_dropout);
  const bool moves = is_above_zero(run, "shift") || is_above_zero(run, "rotate") ||
                     is_above_zero(run, "scale") || is_above_zero(run, "shear");
  const std::string dropout = "dropout switches units off";
  const std::string augmentation = "augmentation moves and bends every image";
  if (drops && moves) return dropout + " and " + augmentation;
  return drops ? dropout : moves ? augmentation : "";
}

// How an evaluation shows the images.
std::string as_shown(int views) {
  return views == 1 ? "as they are" : fmt::format("in {} places each, whose mean counts", views);
}

// Why the training curves are the worse ones in the end, where they are; "" elsewhere.
std::string why_training_is_behind(const RunGroup& group) {
  const int last = group.epoch_count();
  const bool validated = has_validation(group);
  const auto behind = [&](const Figure& figure) {
    const auto train = group.at_epoch(last, figure.train);
    const auto other = group.at_epoch(last, validated ? figure.validation : figure.test);
    return train && other ? other->mean - train->mean : 0;
  };
  std::string text;
  std::string handicap = handicaps(*group.runs[0]);
  const int views = group.runs[0]->plan ? group.runs[0]->plan->model.views : 1;
  if (handicap.empty() && views > 1) handicap = "every image is seen once";
  const std::string held_out = validated ? "Validation" : "Test";
  if (behind(kAccuracy) > 0 && !handicap.empty()) {
    text = fmt::format(
        "{} lies above training here, by {:.2f} points in the end, because the two are not "
        "measured "
        "alike: in training {}; the held-out images meet the whole network {}.",
        held_out, 100 * behind(kAccuracy), handicap, as_shown(views));
  }
  if (behind(kLoss) < 0 && is_above_zero(*group.runs[0], "label_smoothing")) {
    text += fmt::format(
        "{}The training loss is that of smoothed labels, which cannot come near "
        "zero; the held-out loss is not.",
        text.empty() ? "" : " ");
  }
  return text;
}

// The axes are those of all groups.
void add_curves(Blocks& blocks, const RunGroup& group, size_t index, const Plot& loss_axes,
                const Plot& accuracy_axes) {
  if (group.epoch_count() == 0) {
    blocks.emplace_back(Notice{"No epoch is on record, so there are no curves."});
    return;
  }
  Plot loss = loss_axes;
  loss.name = fmt::format("model-{}-loss", index);
  loss.curves = curves_of(group, kLoss);
  Plot accuracy = accuracy_axes;
  accuracy.name = fmt::format("model-{}-accuracy", index);
  accuracy.curves = curves_of(group, kAccuracy);
  const std::string what = fmt::format(
      ": {}. Training is the mean over an epoch while the weights move, {} is after it.",
      seeds_text(group), has_validation(group) ? "validation" : "test");
  add_pictures(blocks, {{loss, "Loss of " + group.label + what},
                        {accuracy, "Accuracy of " + group.label + what + zoom_text(accuracy)}});
  const std::string why = why_training_is_behind(group);
  if (!why.empty()) blocks.emplace_back(Paragraph{why});
}

Row epoch_row(const RunGroup& group, int epoch) {
  const auto at = [&](Metric metric) { return group.at_epoch(epoch, metric); };
  const bool validated = has_validation(group);
  const Metric loss = validated ? &EpochRecord::validation_loss : &EpochRecord::test_loss;
  const Metric accuracy =
      validated ? &EpochRecord::validation_accuracy : &EpochRecord::test_accuracy;
  Row row{std::to_string(epoch),
          loss_text(at(&EpochRecord::train_loss)),
          percent_text(at(&EpochRecord::train_accuracy)),
          loss_text(at(loss)),
          percent_text(at(accuracy)),
          seconds_text(at(&EpochRecord::seconds)),
          rate_text(at(&EpochRecord::images_per_second))};
  if (group.complete.size() > 1) {
    row.insert(row.begin() + 5, percent_range_text(at(accuracy)));
  }
  return row;
}

void add_epochs(Blocks& blocks, const RunGroup& group) {
  const int count = group.epoch_count();
  if (count == 0) return;
  Table table{"", "rrrrrrr", {}, false, {}};
  const std::string held_out = has_validation(group) ? "Validation" : "Test";
  table.rows = {{"Epoch", "Train loss", "Train accuracy", held_out + " loss",
                 held_out + " accuracy", "Training", "Images/s"}};
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
  blocks.emplace_back(Folded{"The epochs of " + group.label, {table}});
}

}  // namespace

Blocks curve_blocks(std::span<const RunGroup> groups) {
  Blocks blocks;
  add_comparison(blocks, groups);
  Plot loss{"", "Loss (log scale)", true, all_curves(groups, kLoss)};
  loss.range = values_of(loss.curves);
  Plot accuracy{"", "Accuracy (%)", false, all_curves(groups, kAccuracy)};
  accuracy.range = values_of(accuracy.curves);
  accuracy.zoom = zoom_of(accuracy.curves);
  for (size_t i = 0; i < groups.size(); ++i) {
    blocks.emplace_back(Heading{3, groups[i].label});
    add_curves(blocks, groups[i], i + 1, loss, accuracy);
    add_epochs(blocks, groups[i]);
  }
  return blocks;
}

}  // namespace digitron
