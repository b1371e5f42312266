#include "host/report/report.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/files/environment.h"
#include "host/machine/build.h"
#include "host/report/answers.h"
#include "host/report/comparison.h"
#include "host/report/curve_part.h"
#include "host/report/draw_part.h"
#include "host/report/figures.h"
#include "host/report/html.h"
#include "host/report/markdown.h"
#include "host/report/model_part.h"
#include "host/report/roles.h"
#include "host/report/run_part.h"
#include "host/report/sweep_part.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

// Every run that was given, once. Beside a sweep with results there may be none.
std::vector<RunRecord> read_runs(const std::vector<fs::path>& directories,
                                 const std::optional<SweepRecord>& sweep) {
  std::vector<RunRecord> runs;
  std::set<fs::path> seen;
  for (const fs::path& directory : directories) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(directory, error);
    if (!seen.insert(error ? directory : canonical).second) continue;
    runs.push_back(read_run(directory));
  }
  const bool any = std::any_of(runs.begin(), runs.end(),
                               [](const RunRecord& run) { return run.has_description; });
  if (any || (sweep && !sweep->by_mean().empty())) return runs;
  if (directories.empty()) {
    if (sweep) throw InputError(sweep->path.string() + ": " + sweep->problems.front());
    throw InputError("there is nothing to report: give directories of runs, or --sweep DIR");
  }
  const std::string first = directories[0].string();
  throw InputError(
      (runs.size() == 1 ? first + " is not" : "none of the directories (" + first + ", ...) is") +
      " a run: no run.json there; give what digitron train wrote to its --out");
}

void warn_of_problems(const std::vector<RunRecord>& runs) {
  for (const RunRecord& run : runs) {
    for (const std::string& problem : run.problems) {
      spdlog::warn("Warning: {}: {}", run.directory.string(), problem);
    }
  }
}

void warn_of_problems(const SweepRecord& sweep) {
  for (const std::string& problem : sweep.problems) {
    spdlog::warn("Warning: {}: {}", sweep.path.string(), problem);
  }
}

// What a reader must know before looking at any figure.
void add_data_notices(std::vector<DocumentBlock>& blocks, std::span<const RunRecord> runs) {
  std::set<std::string> others, sums;
  for (const RunRecord& run : runs) {
    if (run.is_hollow()) continue;
    if (run.text({"data", "is_mnist"}) == "no") others.insert(run.text({"data", "description"}));
    const std::string sum = run.text({"data", "sha256"});
    if (!sum.empty()) sums.insert(sum);
  }
  for (const std::string& description : others) {
    blocks.emplace_back(Notice{"Not MNIST: there are runs here on " + description + "."});
  }
  if (sums.size() > 1) {
    blocks.emplace_back(
        Notice{"The runs learned from different data sets: their figures do not compare."});
  }
}

void add_hollow_runs(std::vector<DocumentBlock>& blocks, std::span<const RunRecord> runs) {
  for (const RunRecord& run : runs) {
    if (!run.is_hollow()) continue;
    blocks.emplace_back(
        Notice{run.directory.string() + " holds nothing to report: " + run.problems.front()});
  }
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (fs::is_directory(path, error)) return;
  throw InputError("cannot create the output directory " + path.string() +
                   "; give one that can be written, with --out");
}

// As a terminal shows it: names may hold bytes that it should not get.
std::string terminal_table(Table table) {
  for (Row& row : table.rows) {
    for (std::string& cell : row) cell = replaced(one_line(cell), kNoFigure, "-");
  }
  return format_table(table.rows, table.alignment);
}

std::string verdict_of(std::span<const RunGroup> groups, const std::optional<SweepRecord>& sweep) {
  std::string text;
  if (!groups.empty()) {
    std::vector<const RunGroup*> all;
    for (const RunGroup& group : groups) all.push_back(&group);
    const Roles roles = roles_of(groups);
    text = terminal_table(comparison_table(all, roles)) + '\n';
    text += one_line(accuracy_answer(roles)) + '\n' + one_line(regularisation_answer(roles)) + '\n';
  }
  if (!sweep || sweep->by_mean().empty()) return text;
  if (!text.empty()) text += '\n';
  return text + terminal_table(settings_table(*sweep)) + '\n' + one_line(sweep_answer(*sweep)) +
         '\n';
}

// Blocks one after the other.
class Page {
 public:
  explicit Page(Document& document) : blocks_(document.blocks) {}
  void add(std::vector<DocumentBlock> blocks) {
    std::move(blocks.begin(), blocks.end(), std::back_inserter(blocks_));
  }
  // A question, and the sentence that answers it.
  void ask(const std::string& question, const std::string& answer) {
    blocks_.emplace_back(Heading{2, question});
    if (!answer.empty()) blocks_.emplace_back(Paragraph{answer});
  }

 private:
  std::vector<DocumentBlock>& blocks_;
};

Facts summary_of(std::span<const RunGroup> groups, const Roles& roles,
                 const std::optional<SweepRecord>& sweep) {
  Facts facts{{{"Parameters", parameters_answer(groups)},
               {"Loss and accuracy", curves_answer(groups)},
               {"LeNet-5 and the MLP", accuracy_answer(roles)},
               {"Regularisation", regularisation_answer(roles)}}};
  if (sweep && !sweep->by_mean().empty())
    facts.rows.emplace_back("In a sweep", sweep_answer(*sweep));
  return facts;
}

// "3 models, 9 runs, a sweep of 12 settings".
std::string contents_text(std::span<const RunRecord> runs, std::span<const RunGroup> groups,
                          const std::optional<SweepRecord>& sweep) {
  std::string text;
  if (!runs.empty()) {
    text = counted(groups.size(), "model") + ", " + counted(runs.size(), "run");
  }
  if (!sweep) return text;
  return text + (text.empty() ? "A" : ", a") + " sweep of " +
         counted(sweep->rows.size(), "setting");
}

constexpr const char* kRegularisationQuestion = "Does regularisation improve LeNet-5?";

}  // namespace

Document report_document(std::span<const RunRecord> runs, std::span<const RunGroup> groups,
                         const std::optional<SweepRecord>& sweep, DataSources& sources) {
  Document document;
  document.title = "Digitron report";
  document.subtitle = fmt::format("{}; written {} by Digitron {}",
                                  contents_text(runs, groups, sweep), utc_now(), version());
  add_data_notices(document.blocks, runs);
  add_hollow_runs(document.blocks, runs);
  Page page(document);
  if (groups.empty()) {
    if (sweep) page.ask(kRegularisationQuestion, "");
    if (sweep) page.add(sweep_blocks(*sweep));
    if (!runs.empty()) page.add(run_blocks(runs));
    return document;
  }
  const Roles roles = roles_of(groups);
  page.ask("Summary", "");
  page.add({summary_of(groups, roles, sweep)});
  page.ask("How many parameters do the networks have?", parameters_answer(groups));
  page.add(parameter_blocks(groups));
  page.ask("How do loss and accuracy develop?", curves_answer(groups));
  page.add(curve_blocks(groups));
  page.ask("How good is LeNet-5, and is it better than the MLP?", accuracy_answer(roles));
  page.add(comparison_blocks(groups, roles));
  page.ask(kRegularisationQuestion, regularisation_answer(roles));
  page.add(variant_blocks(roles));
  if (sweep) page.add(sweep_blocks(*sweep));
  page.ask("Where are they wrong?", mistakes_answer(groups, sources));
  for (const RunGroup& group : groups) page.add(mistake_blocks(group, sources));
  page.add(draw_blocks(groups));
  page.add(run_blocks(runs));
  return document;
}

Report write_report(const ReportRequest& request) {
  std::optional<SweepRecord> sweep;
  if (!request.sweep.empty()) sweep = read_sweep(request.sweep);
  const std::vector<RunRecord> runs = read_runs(request.runs, sweep);
  warn_of_problems(runs);
  if (sweep) warn_of_problems(*sweep);
  const std::vector<RunGroup> groups = group_runs(runs);
  DataSources sources(request.data);
  const Document document = report_document(runs, groups, sweep, sources);

  make_directory(request.out);
  Report report{request.out / "report.html", request.out / "report.md", verdict_of(groups, sweep)};
  write_file_atomically(report.html, to_html(document));
  write_file_atomically(report.markdown, to_markdown(document, report.html.filename().string()));
  return report;
}

}  // namespace digitron
