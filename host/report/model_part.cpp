#include "host/report/model_part.h"

#include <spdlog/fmt/fmt.h>

#include <set>

#include "host/report/evaluation_part.h"
#include "host/report/figures.h"
#include "host/text/inspect.h"

namespace digitron {

namespace {

using Blocks = std::vector<DocumentBlock>;

constexpr size_t kOurMlpCount = 81'080;

// plan_rows without work and memory.
Table parameter_table(const Plan& plan) {
  constexpr size_t kColumns = 5;
  Table table{"", "llllr", plan_rows(plan), true, {}};
  for (Row& row : table.rows) {
    row.resize(kColumns);
    for (std::string& cell : row) {
      if (cell == "-") cell.clear();
    }
  }
  const auto parameters = static_cast<int64_t>(plan.parameter_count);
  table.caption = fmt::format(
      "{} parameters are {} bytes in fp32; a training step of {} images takes {:.1f} "
      "MFLOP.",
      grouped(parameters), grouped(parameters * static_cast<int64_t>(sizeof(float))), plan.batch,
      static_cast<double>(plan.flops_forward + plan.flops_backward) / 1e6);
  if (plan.model.views > 1) table.caption += " " + views_sentence(plan.model);
  return table;
}

void add_parameters(Blocks& blocks, const RunRecord& run) {
  blocks.emplace_back(Heading{3, run.model_name});
  if (!run.plan) {
    blocks.emplace_back(Notice{"The layers are not known, so there is no table of parameters."});
    return;
  }
  blocks.emplace_back(parameter_table(*run.plan));
  if (run.text({"model", "id"}) != "custom-mlp" || run.plan->parameter_count != kOurMlpCount)
    return;
  blocks.emplace_back(Paragraph{
      "The assignment counts 81,020 here, 60 fewer: it takes 785 \u00d7 90 (fc1, its bias as an "
      "input) as 70,590, which is 70,650."});
}

}  // namespace

Blocks parameter_blocks(std::span<const RunGroup> groups) {
  Blocks blocks{Paragraph{
      "Inputs of a unit (channels \u00d7 kernel \u00d7 kernel in a convolution) times units, plus "
      "one bias a unit; a batch normalisation has a scale and a shift a channel."}};
  std::set<std::string> seen;
  for (const RunGroup& group : groups) {
    const RunRecord& run = *group.runs[0];
    if (seen.insert(run.model_name + '\n' + run.text({"model", "text"})).second) {
      add_parameters(blocks, run);
    }
  }
  return blocks;
}

Blocks mistake_blocks(const RunGroup& group, DataSources& sources) {
  Blocks blocks{Heading{3, group.label}};
  for (const RunRecord* run : group.runs) {
    for (const std::string& problem : run->problems) {
      blocks.emplace_back(Notice{run_name(*run) + ": " + problem});
    }
  }
  const Blocks more = evaluation_blocks(group, sources);
  blocks.insert(blocks.end(), more.begin(), more.end());
  return blocks;
}

}  // namespace digitron
