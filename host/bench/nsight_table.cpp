#include "host/bench/nsight_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <boost/tokenizer.hpp>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <sstream>
#include <vector>

#include "host/core/error.h"
#include "host/text/table.h"

namespace digitron {

namespace {

using Cells = std::vector<std::string>;

constexpr size_t kLongestName = 60;

Cells csv_cells(const std::string& line) {
  // No escape character: a backslash is one, and a doubled quotation mark is left out.
  const boost::escaped_list_separator<char> separator("", ",", "\"");
  const boost::tokenizer<boost::escaped_list_separator<char>> cells(line, separator);
  return {cells.begin(), cells.end()};
}

// A table among the other lines that a program prints: it begins with the first line that has a
// column of this name, and has as many cells in each.
class CsvTable {
 public:
  CsvTable(const std::string& text, const std::string& column) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      Cells cells = csv_cells(line);
      if (names_.empty()) {
        if (std::find(cells.begin(), cells.end(), column) != cells.end()) names_ = cells;
      } else if (cells.size() == names_.size()) {
        rows_.push_back(std::move(cells));
      }
    }
  }

  const std::vector<Cells>& rows() const { return rows_; }

  const std::string& text(const Cells& row, const std::string& column) const {
    const auto at = std::find(names_.begin(), names_.end(), column);
    if (at == names_.end()) {
      throw MachineError("the profiler's table has no column '" + column +
                         "', as of a version that this program does not know; open its report in "
                         "its own viewer");
    }
    return row[static_cast<size_t>(at - names_.begin())];
  }

  // "1,024" is 1024; NaN for what is no number.
  double number(const Cells& row, const std::string& column) const {
    std::string digits = text(row, column);
    std::erase(digits, ',');
    double value = NAN;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }

 private:
  Cells names_;
  std::vector<Cells> rows_;
};

// "void scale<float>(float*, int)" -> "scale<float>", and not too long.
std::string short_kernel_name(std::string name) {
  if (name.starts_with("void ")) name.erase(0, 5);
  if (name.ends_with(')')) name.erase(std::min(name.find('('), name.size()));
  if (name.size() > kLongestName) name = name.substr(0, kLongestName - 3) + "...";
  return name;
}

// "digitron:conv1 forward" -> "conv1 forward".
std::string short_range_name(std::string name) {
  constexpr std::string_view kDomain = "digitron:";
  if (name.starts_with(kDomain)) name.erase(0, kDomain.size());
  return name;
}

std::string microseconds_text(double nanoseconds) {
  return fmt::format("{:.2f}", nanoseconds / 1000);
}

// The columns of one of nsys's summaries, and how its names are shortened.
struct NsightSummary {
  const char* heading;
  const char* name;
  const char* count;
  const char* median;
  const char* total;
  std::string (*short_name)(std::string);
  bool shares;  // not of ranges, which lie inside one another
};

std::string summary_table(const std::string& output, const NsightSummary& summary) {
  const CsvTable csv(output, summary.total);
  if (csv.rows().empty()) return "";
  double sum = 0;
  for (const Cells& row : csv.rows()) sum += csv.number(row, summary.total);
  std::vector<Row> rows{{summary.heading, "count", "median us", "total us"}};
  if (summary.shares) rows[0].emplace_back("share");
  for (const Cells& row : csv.rows()) {
    const double total = csv.number(row, summary.total);
    rows.push_back({summary.short_name(csv.text(row, summary.name)), csv.text(row, summary.count),
                    microseconds_text(csv.number(row, summary.median)), microseconds_text(total)});
    if (summary.shares) rows.back().push_back(fmt::format("{:.1f} %", 100 * total / sum));
  }
  return format_table(rows, summary.shares ? "lrrrr" : "lrrr");
}

// One of ncu's metrics, as the table has it.
struct NcuMetric {
  const char* heading;
  const char* name;
  double scale;  // what the number is multiplied by
  const char* format;
};

// The first is what the table is sorted by. They are in ncu's set "basic".
constexpr NcuMetric kNcuMetrics[] = {
    {"median us", "gpu__time_duration.sum", 1e-3, "{:.2f}"},
    {"compute %", "sm__throughput.avg.pct_of_peak_sustained_elapsed", 1, "{:.1f}"},
    {"memory %", "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed", 1, "{:.1f}"},
    {"occupancy %", "sm__warps_active.avg.pct_of_peak_sustained_active", 1, "{:.1f}"},
    {"registers", "launch__registers_per_thread", 1, "{:.0f}"}};

constexpr size_t kNcuMetricCount = std::size(kNcuMetrics);

// What ncu has counted of the launches of one kernel: values by metric.
using NcuLaunches = std::array<std::vector<double>, kNcuMetricCount>;

double median_metric(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::string systems_kernels_table(const std::string& output) {
  return summary_table(output, {"kernel", "Name", "Instances", "Med (ns)", "Total Time (ns)",
                                short_kernel_name, true});
}

std::string systems_gpu_ranges_table(const std::string& output) {
  return summary_table(output, {"range", "Range", "Range Instances", "Proj Med (ns)",
                                "Total Proj Time (ns)", short_range_name, false});
}

std::string systems_ranges_table(const std::string& output) {
  return summary_table(output, {"range", "Range", "Instances", "Med (ns)", "Total Time (ns)",
                                short_range_name, false});
}

std::string compute_kernels_table(const std::string& output) {
  const CsvTable csv(output, kNcuMetrics[0].name);
  std::map<std::string, NcuLaunches> kernels;
  for (const Cells& row : csv.rows()) {
    if (csv.text(row, "ID").empty()) continue;  // the row of units
    NcuLaunches& launches = kernels[short_kernel_name(csv.text(row, "Kernel Name"))];
    for (size_t i = 0; i < kNcuMetricCount; ++i) {
      launches[i].push_back(csv.number(row, kNcuMetrics[i].name));
    }
  }
  if (kernels.empty()) return "";
  std::vector<std::pair<double, Row>> sorted;
  for (const auto& [name, launches] : kernels) {
    Row row{name, std::to_string(launches[0].size())};
    for (size_t i = 0; i < kNcuMetricCount; ++i) {
      row.push_back(fmt::format(fmt::runtime(kNcuMetrics[i].format),
                                kNcuMetrics[i].scale * median_metric(launches[i])));
    }
    const double total = std::accumulate(launches[0].begin(), launches[0].end(), 0.0);
    sorted.emplace_back(total, std::move(row));
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Row> rows{{"kernel", "count"}};
  for (const NcuMetric& metric : kNcuMetrics) rows[0].emplace_back(metric.heading);
  for (auto& [total, row] : sorted) rows.push_back(std::move(row));
  return format_table(rows, "lrrrrrr");
}

}  // namespace digitron
