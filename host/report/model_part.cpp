#include "host/report/model_part.h"

#include <spdlog/fmt/fmt.h>

#include "host/report/evaluation_part.h"
#include "host/report/figures.h"
#include "host/text/text.h"

namespace digitron {

namespace {

using Blocks = std::vector<DocumentBlock>;

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
      row.back() =
          row.back().substr(0, sum + 2) + grouped(parameter_count(plan, plan.layers[i - 1]));
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
      "one bias a unit; a batch normalisation has a scale and a shift a channel. {} parameters are "
      "{} bytes in fp32; a training step of {} images takes "
      "{:.1f} MFLOP.",
      grouped(parameters), grouped(parameters * static_cast<int64_t>(sizeof(float))), plan->batch,
      static_cast<double>(plan->flops_forward + plan->flops_backward) / 1e6);
  blocks.emplace_back(table);
}

}  // namespace

Blocks model_blocks(const RunGroup& group, DataSources& sources) {
  Blocks blocks{Heading{2, group.label}, Paragraph{introduction(group)}};
  add_problems(blocks, group);
  add_parameters(blocks, group);
  const Blocks more = evaluation_blocks(group, sources);
  blocks.insert(blocks.end(), more.begin(), more.end());
  return blocks;
}

}  // namespace digitron
