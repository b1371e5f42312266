#include "host/report/comparison.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/report/figures.h"

namespace digitron {

namespace {

bool is_lenet5_on_mnist(const RunGroup& group) {
  const RunRecord& run = *group.runs[0];
  return run.text({"model", "id"}) == "lenet5" && run.text({"data", "is_mnist"}) == "yes";
}

std::string epochs_text(std::span<const RunGroup> groups) {
  std::string text;
  for (const RunGroup& group : groups) {
    const std::string epochs = group.last_epoch ? std::to_string(*group.last_epoch) : kNoFigure;
    if (text.empty()) text = epochs;
    if (text != epochs) return "the last epoch of each";
  }
  return text == kNoFigure ? "the last epoch" : "epoch " + text;
}

}  // namespace

Table comparison_table(std::span<const RunGroup> groups) {
  const bool has_ranges = std::any_of(groups.begin(), groups.end(), [](const RunGroup& group) {
    return group.complete.size() > 1;
  });
  Table table{"", "lrrrrrr", {}, false, {}};
  table.rows = {{"Model", "Parameters", "Runs", "Final test accuracy", "Best test accuracy",
                 "Final test loss", "Training"}};
  for (const RunGroup& group : groups) {
    const RunRecord& run = *group.runs[0];
    const std::string parameters =
        run.plan ? grouped(static_cast<int64_t>(run.plan->parameter_count)) : kNoFigure;
    table.rows.push_back({group.label, parameters, std::to_string(group.complete.size()),
                          percent_text(group.final_figure(&EpochRecord::test_accuracy)),
                          percent_text(group.best_test_accuracy()),
                          loss_text(group.final_figure(&EpochRecord::test_loss)),
                          seconds_text(group.training_seconds())});
  }
  if (!has_ranges) return table;
  constexpr std::ptrdiff_t kRangeColumn = 4;
  table.alignment += 'r';
  table.rows[0].insert(table.rows[0].begin() + kRangeColumn, "Lowest to highest");
  for (size_t i = 0; i < groups.size(); ++i) {
    Row& row = table.rows[i + 1];
    const auto final_accuracy = groups[i].final_figure(&EpochRecord::test_accuracy);
    row.insert(row.begin() + kRangeColumn, percent_range_text(final_accuracy));
  }
  return table;
}

std::vector<DocumentBlock> comparison_blocks(std::span<const RunGroup> groups) {
  std::vector<DocumentBlock> blocks{Heading{2, "Comparison"}};
  Table table = comparison_table(groups);
  table.caption = fmt::format(
      "Final: after {}. Best: the highest of any epoch, chosen on the test set itself and so "
      "flattering. Training: seconds of all training passes of a run, without evaluation. Of "
      "several runs: the mean.",
      epochs_text(groups));
  blocks.emplace_back(table);
  if (std::any_of(groups.begin(), groups.end(), is_lenet5_on_mnist)) {
    blocks.emplace_back(Paragraph{
        "For comparison: LeCun, Bottou, Bengio and Haffner (\u201cGradient-based learning "
        "applied to document recognition\u201d, 1998) report 99.05% for their LeNet-5 on "
        "MNIST without distorted training images."});
  }
  return blocks;
}

}  // namespace digitron
