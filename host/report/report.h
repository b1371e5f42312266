// From run directories to a report: one HTML page and its Markdown twin.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/report/document.h"
#include "host/report/evaluation.h"
#include "host/report/run_group.h"

namespace digitron {

struct ReportRequest {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;
  std::string data;  // in place of what the runs name; empty: what they name
};

struct Report {
  std::filesystem::path html;
  std::filesystem::path markdown;
  std::string table;  // the comparison, for a terminal
};

// Everything the report says. Throws MachineError when the curves cannot be drawn.
Document report_document(std::span<const RunRecord> runs, std::span<const RunGroup> groups,
                         DataSources& sources);

// Reads the runs and writes report.html and report.md into `out`, each atomically; the directory
// is created where it is missing. What is wrong with a run is in the report and
// logged as a warning. Throws InputError when none of the runs has a run.json or `out` cannot be
// written, MachineError when there is no gnuplot or the disk is full.
Report write_report(const ReportRequest& request);

}  // namespace digitron
