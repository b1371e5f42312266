#include "host/report/curve_part.h"

#include <spdlog/fmt/fmt.h>

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

Picture comparison_picture(std::span<const RunGroup> groups, Metric metric, double scale, Plot plot,
                           const std::string& caption) {
  for (size_t i = 0; i < groups.size(); ++i) {
    Curve curve = curve_of(groups[i], metric, scale);
    curve.title = groups[i].label;
    curve.colour = i;
    plot.curves.push_back(curve);
  }
  return {draw(plot), caption};
}

void add_comparison(Blocks& blocks, std::span<const RunGroup> groups) {
  if (groups.size() < 2) return;
  blocks.emplace_back(
      Pictures{{comparison_picture(groups, &EpochRecord::test_accuracy, 100,
                                   {"comparison-accuracy", "Test accuracy (%)", false, {}},
                                   "Test accuracy of each model after every epoch."),
                comparison_picture(
                    groups, &EpochRecord::test_loss, 1, {"comparison-loss", "Test loss", true, {}},
                    "Test loss of each model after every epoch, on a logarithmic scale.")}});
}

// What an epoch ends with: the validation set of runs that have one, else the test set.
bool has_validation(const RunGroup& group) {
  const auto last = group.at_epoch(group.epoch_count(), &EpochRecord::validation_loss);
  return last.has_value();
}

struct CurveMetrics {
  Metric train, validation, test;
};

Picture curves_picture(const RunGroup& group, const CurveMetrics& metrics, double scale, Plot plot,
                       const std::string& caption) {
  Curve training = curve_of(group, metrics.train, scale);
  training.title = "Training";
  training.colour = 1;
  training.dashed = true;
  Curve validation = curve_of(group, metrics.validation, scale);
  validation.title = "Validation";
  validation.colour = 2;
  Curve testing = curve_of(group, metrics.test, scale);
  testing.title = "Test";
  plot.curves = {training, validation, testing};
  return {draw(plot), caption};
}

void add_curves(Blocks& blocks, const RunGroup& group, size_t index) {
  if (group.epoch_count() == 0) {
    blocks.emplace_back(Notice{"No epoch is on record, so there are no curves."});
    return;
  }
  blocks.emplace_back(Pictures{
      {curves_picture(
           group,
           {&EpochRecord::train_loss, &EpochRecord::validation_loss, &EpochRecord::test_loss}, 1,
           {fmt::format("model-{}-loss", index), "Loss", true, {}},
           "Loss, on a logarithmic scale. Training: mean over the epoch while the "
           "weights move. Test: after the epoch."),
       curves_picture(group,
                      {&EpochRecord::train_accuracy, &EpochRecord::validation_accuracy,
                       &EpochRecord::test_accuracy},
                      100, {fmt::format("model-{}-accuracy", index), "Accuracy (%)", false, {}},
                      "Accuracy; training and test as for the loss.")}});
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
  blocks.emplace_back(table);
}

}  // namespace

Blocks curve_blocks(std::span<const RunGroup> groups) {
  Blocks blocks;
  add_comparison(blocks, groups);
  for (size_t i = 0; i < groups.size(); ++i) {
    blocks.emplace_back(Heading{3, groups[i].label});
    add_curves(blocks, groups[i], i + 1);
    add_epochs(blocks, groups[i]);
  }
  return blocks;
}

}  // namespace digitron
