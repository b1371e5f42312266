#include "host/report/comparison.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/report/changes.h"
#include "host/report/figures.h"
#include "host/report/phrases.h"

namespace digitron {

namespace {

bool has_several_runs(const std::vector<const RunGroup*>& groups) {
  return std::any_of(groups.begin(), groups.end(),
                     [](const RunGroup* group) { return group->complete.size() > 1; });
}

std::string p_cell(const RunGroup& group, const Roles& roles) {
  if (&group == roles.reference) return "";
  const std::optional<double> p = roles.of(group).p;
  return p ? p_text(*p) : kNoFigure;
}

std::string errors_cell(const RunGroup& group) {
  const std::optional<Errors> errors = errors_of(group);
  return errors ? fmt::format("{:.1f}", errors->mean) : kNoFigure;
}

std::string epochs_text(const std::vector<const RunGroup*>& groups) {
  std::string text;
  for (const RunGroup* group : groups) {
    const std::string epochs = group->last_epoch ? std::to_string(*group->last_epoch) : kNoFigure;
    if (text.empty()) text = epochs;
    if (text != epochs) return "the last epoch of each";
  }
  return text == kNoFigure ? "the last epoch" : "epoch " + text;
}

// What the columns are.
std::string caption_text(const std::vector<const RunGroup*>& groups, const Roles& roles) {
  const std::string when = fmt::format("After {}. ", epochs_text(groups));
  if (!has_several_runs(groups)) return when + "One seed each: no spread, no test.";
  return when + fmt::format(
                    "n runs that differ in their seed alone: means, and the standard deviation sd. "
                    "p: the probability that means of other seeds lie so far from {}'s by chance "
                    "(Welch's test, raised by Holm's rule over all models here).",
                    roles.reference->label);
}

// What was left out of the figures, and what ended early.
void add_run_notices(std::vector<DocumentBlock>& blocks,
                     const std::vector<const RunGroup*>& groups) {
  for (const RunGroup* group : groups) {
    const size_t left_out = group->runs.size() - group->complete.size();
    if (left_out > 0) {
      blocks.emplace_back(Notice{fmt::format(
          "{}: {} did not get as far as epoch {} and {} left out of all figures.", group->label,
          counted(left_out, "run"), *group->last_epoch, left_out == 1 ? "is" : "are")});
    }
    const bool interrupted =
        std::any_of(group->complete.begin(), group->complete.end(), [](const RunRecord* run) {
          return !run->epochs.empty() && run->epochs.back().interrupted;
        });
    if (interrupted) {
      blocks.emplace_back(Notice{group->label + ": training was interrupted, before its end."});
    }
  }
}

}  // namespace

Table comparison_table(const std::vector<const RunGroup*>& groups, const Roles& roles) {
  Table table{"", "lrrrrrrrr", {}, false, {}};
  table.rows = {
      {"Model", "Parameters", "n", "Test accuracy", "sd", "Errors", "Test loss", "Training", "p"}};
  for (const RunGroup* group : groups) {
    const std::optional<Plan>& plan = group->runs[0]->plan;
    const auto accuracy = group->final_figure(&EpochRecord::test_accuracy);
    table.rows.push_back(
        {group->label, plan ? grouped(static_cast<int64_t>(plan->parameter_count)) : kNoFigure,
         std::to_string(group->complete.size()), percent_text(accuracy), deviation_text(accuracy),
         errors_cell(*group), loss_text(group->final_figure(&EpochRecord::test_loss)),
         seconds_text(group->training_seconds()), p_cell(*group, roles)});
  }
  return table;
}

std::vector<DocumentBlock> comparison_blocks(std::span<const RunGroup> groups, const Roles& roles) {
  std::vector<const RunGroup*> shown;
  for (const RunGroup& group : groups) {
    if (!roles.is_variant(group)) shown.push_back(&group);
  }
  Table table = comparison_table(shown, roles);
  table.caption = caption_text(shown, roles) +
                  " Training: seconds of all training passes of a run, without evaluation.";
  std::vector<DocumentBlock> blocks{std::move(table)};
  add_run_notices(blocks, shown);
  if (roles.lenet5 != nullptr && roles.lenet5->runs[0]->text({"data", "is_mnist"}) == "yes") {
    blocks.emplace_back(Paragraph{
        "The known accuracy: LeCun, Bottou, Bengio and Haffner (\u201cGradient-based learning "
        "applied to document recognition\u201d, 1998) report 99.05% for their LeNet-5 on "
        "MNIST without distorted training images."});
  }
  return blocks;
}

std::vector<DocumentBlock> variant_blocks(const Roles& roles) {
  std::vector<DocumentBlock> blocks;
  if (roles.variants.empty()) return blocks;
  std::vector<const RunGroup*> shown{roles.lenet5};
  shown.insert(shown.end(), roles.variants.begin(), roles.variants.end());
  Table table{"", "llrrrrr", {}, false, {}};
  table.rows = {{"Model", "What is other", "n", "Test accuracy", "sd", "Difference", "p"}};
  const auto reference = roles.lenet5->final_figure(&EpochRecord::test_accuracy);
  for (const RunGroup* group : shown) {
    const bool is_reference = group == roles.lenet5;
    const auto accuracy = group->final_figure(&EpochRecord::test_accuracy);
    const bool both = accuracy && reference && !is_reference;
    table.rows.push_back(
        {group->label, is_reference ? "" : changes_text(*roles.lenet5->runs[0], *group->runs[0]),
         std::to_string(group->complete.size()), percent_text(accuracy), deviation_text(accuracy),
         both ? points_text(accuracy->mean - reference->mean) : "", p_cell(*group, roles)});
  }
  table.caption = caption_text(shown, roles) + " Difference: points of a percent.";
  blocks.emplace_back(std::move(table));
  add_run_notices(blocks, roles.variants);
  return blocks;
}

}  // namespace digitron
