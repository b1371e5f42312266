#include "host/report/sweep_part.h"

#include <spdlog/fmt/fmt.h>

#include "host/core/error.h"
#include "host/report/answers.h"
#include "host/report/changes.h"
#include "host/report/figures.h"
#include "host/report/phrases.h"
#include "host/report/sweep_picture.h"
#include "host/text/table.h"

namespace digitron {

namespace {

// The model that the reference trains: the last --model of its options, or of the common ones, or
// LeNet-5. Nothing where this version does not know it.
std::optional<Plan> reference_plan(const SweepRecord& sweep) {
  std::vector<std::string> words = sweep.common;
  if (const SweepRow* reference = sweep.reference()) {
    words.insert(words.end(), reference->options.begin(), reference->options.end());
  }
  std::string model = "lenet5";
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--model") model = words[i + 1];
  }
  try {
    return make_plan(find_model(model), 64);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

// "yes", "no" (it harms), or that it is not shown; "" of the reference.
std::string helps_text(const SweepRow& row, const SweepRow* reference) {
  if (reference == nullptr || &row == reference) return "";
  if (!row.significance.p) return "not tested";
  if (*row.significance.p > kSignificant) return "not shown";
  return row.accuracy->mean > reference->accuracy->mean ? "yes" : "no, it harms";
}

Row settings_row(const SweepRow& row, const SweepRow* reference, const std::optional<Plan>& plan) {
  const bool compared = reference != nullptr && &row != reference;
  const std::string changes = plan && &row != reference ? option_text(*plan, row.options) : "";
  return {row.name,
          changes == row.name ? "" : changes,
          std::to_string(row.accuracy->count),
          percent(row.accuracy->mean),
          deviation_text(row.accuracy),
          compared ? points_text(row.accuracy->mean - reference->accuracy->mean) : "",
          helps_text(row, reference),
          row.significance.p ? p_text(*row.significance.p) : ""};
}

}  // namespace

Table settings_table(const SweepRecord& sweep) {
  const std::optional<Plan> plan = reference_plan(sweep);
  Table table{"", "llrrrrlr", {}, false, {}};
  table.rows = {
      {"Setting", "What is other", "n", "Test accuracy", "sd", "Difference", "Helps?", "p"}};
  for (const SweepRow* row : sweep.by_mean()) {
    table.rows.push_back(settings_row(*row, sweep.reference(), plan));
  }
  return table;
}

std::vector<DocumentBlock> sweep_blocks(const SweepRecord& sweep) {
  std::vector<DocumentBlock> blocks{Heading{3, "Each technique alone and together"}};
  for (const std::string& problem : sweep.problems) {
    blocks.emplace_back(Notice{sweep.path.string() + ": " + problem});
  }
  if (sweep.by_mean().empty()) return blocks;
  blocks.emplace_back(Paragraph{sweep_answer(sweep)});
  Table table = settings_table(sweep);
  const std::string origin = sweep.origin.empty() ? "" : " (" + sweep.origin + ")";
  table.caption =
      sweep.path.string() + origin +
      ": n seeds a setting. Difference: points of a percent. p: Welch's test against the "
      "reference, raised by Holm's rule over all settings; helps: p at most 0.05.";
  blocks.emplace_back(std::move(table));
  blocks.emplace_back(Pictures{{sweep_picture(sweep)}});
  return blocks;
}

}  // namespace digitron
