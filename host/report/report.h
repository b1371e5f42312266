// From run directories to a report: one HTML page and its Markdown twin.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/report/document.h"
#include "host/report/evaluation.h"
#include "host/report/run_group.h"
#include "host/report/sweep_record.h"

namespace digitron {

struct ReportRequest {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path sweep;  // what `digitron sweep` wrote, or its sweep.json; empty: none
  std::filesystem::path out;
  std::string data;  // in place of what the runs name; empty: what they name
};

struct Report {
  std::filesystem::path html;
  std::filesystem::path markdown;
  std::string verdict;  // for a terminal: the comparison, and what it says
};

// Everything the report says, by the assignment's questions. Throws MachineError when the curves
// cannot be drawn.
Document report_document(std::span<const RunRecord> runs, std::span<const RunGroup> groups,
                         const std::optional<SweepRecord>& sweep, DataSources& sources);

// Reads the runs and writes report.html and report.md into `out`, each atomically; the directory
// is created where it is missing. What is wrong with a run is in the report and
// logged as a warning. Throws InputError when none of the runs has a run.json and there is no sweep
// with results, or `out` cannot be written, MachineError when there is no gnuplot or the disk is
// full.
Report write_report(const ReportRequest& request);

}  // namespace digitron
