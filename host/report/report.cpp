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
#include "host/report/comparison.h"
#include "host/report/curve_part.h"
#include "host/report/figures.h"
#include "host/report/html.h"
#include "host/report/markdown.h"
#include "host/report/model_part.h"
#include "host/report/run_part.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

// Every run that was given, once.
std::vector<RunRecord> read_runs(const std::vector<fs::path>& directories) {
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
  if (any) return runs;
  const std::string first = directories.empty() ? "" : directories[0].string();
  throw InputError(
      (runs.size() == 1 ? first + " is not" : "none of the directories (" + first + ", ...) is") +
      " a run: no run.json there; give what digitron train wrote to its --out");
}

void warn_of_problems(const std::vector<RunRecord>& runs) {
  for (const RunRecord& run : runs) {
    for (const std::string& problem : run.problems) {
      spdlog::warn("Warning: {}: {}", one_line(run.directory.string()), one_line(problem));
    }
  }
}

// What a reader must know before looking at any figure.
void add_data_notices(std::vector<DocumentBlock>& blocks, std::span<const RunRecord> runs) {
  std::set<std::string> strange, sums;
  bool unknown = false;
  for (const RunRecord& run : runs) {
    if (run.is_hollow()) continue;
    const std::string is_mnist = run.text({"data", "is_mnist"});
    if (is_mnist == "no") strange.insert(run.text({"data", "description"}));
    unknown = unknown || (is_mnist != "yes" && is_mnist != "no");
    const std::string sum = run.text({"data", "sha256"});
    if (!sum.empty()) sums.insert(sum);
  }
  for (const std::string& description : strange) {
    blocks.emplace_back(Notice{"This is not MNIST. There are runs here on other data, " +
                               description + ": their figures say nothing about MNIST."});
  }
  if (unknown)
    blocks.emplace_back(Notice{"Of some runs it is not known whether their data is MNIST."});
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

// Names may hold bytes that are not UTF-8, which a terminal should not get either.
std::string terminal_table(std::span<const RunGroup> groups) {
  Table table = comparison_table(groups);
  for (Row& row : table.rows) {
    for (std::string& cell : row) cell = replaced(one_line(cell), kNoFigure, "-");
  }
  return format_table(table.rows, table.alignment);
}

}  // namespace

Document report_document(std::span<const RunRecord> runs, std::span<const RunGroup> groups,
                         DataSources& sources) {
  Document document;
  document.title = "Digitron report";
  document.subtitle =
      fmt::format("{}, {}; written {} by Digitron {}", counted(groups.size(), "model"),
                  counted(runs.size(), "run"), utc_now(), version());
  add_data_notices(document.blocks, runs);
  add_hollow_runs(document.blocks, runs);
  const auto append = [&](std::vector<DocumentBlock> blocks) {
    std::move(blocks.begin(), blocks.end(), std::back_inserter(document.blocks));
  };
  if (!groups.empty()) append(comparison_blocks(groups));
  document.blocks.emplace_back(Heading{2, "Curves"});
  append(curve_blocks(groups));
  for (const RunGroup& group : groups) append(model_blocks(group, sources));
  append(run_blocks(runs));
  return document;
}

Report write_report(const ReportRequest& request) {
  const std::vector<RunRecord> runs = read_runs(request.runs);
  warn_of_problems(runs);
  const std::vector<RunGroup> groups = group_runs(runs);
  DataSources sources(request.data);
  const Document document = report_document(runs, groups, sources);

  make_directory(request.out);
  Report report{request.out / "report.html", request.out / "report.md", terminal_table(groups)};
  write_file_atomically(report.html, to_html(document));
  write_file_atomically(report.markdown, to_markdown(document, report.html.filename().string()));
  return report;
}

}  // namespace digitron
