#include "host/bench/bench_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "host/bench/bench_export.h"
#include "host/bench/bench_notes.h"
#include "host/text/statistics.h"
#include "host/text/table.h"
#include "host/text/text.h"

namespace digitron {

namespace {

// What a table is before it is text or Markdown.
struct BenchTable {
  std::string alignment;  // one letter a column, 'l' or 'r'
  std::vector<Row> rows;  // the first is the head
};

// A column: its head, alignment and cells, one for each row.
struct Column {
  std::string head;
  char alignment;
  std::vector<std::string> cells;
};

bool all_same(const std::vector<std::string>& cells) {
  return std::all_of(cells.begin(), cells.end(),
                     [&](const std::string& cell) { return cell == cells.front(); });
}

std::string number(double value) {
  if (!std::isfinite(value)) return "-";
  const int64_t tenths = std::llround(10 * value);  // no time and no rate is negative
  return fmt::format("{}.{}", grouped(tenths / 10), tenths % 10);
}

std::string percent_text(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:.2f} %", 100 * fraction) : "-";
}

std::string percent_text(const std::optional<double>& fraction) {
  return fraction ? percent_text(*fraction) : "-";
}

struct Entry {
  const BenchRow& row;
  Summary summary;
};

using Cell = std::function<std::string(const Entry&)>;

Column column(const std::vector<Entry>& entries, const char* head, char alignment,
              const Cell& cell) {
  Column made{head, alignment, {}};
  for (const Entry& entry : entries) made.cells.push_back(cell(entry));
  return made;
}

// Which row it is: its model and batch, and what else differs between rows.
std::vector<Column> identity(const std::vector<Entry>& entries) {
  std::vector<Column> columns{
      column(entries, "model", 'l', [](const Entry& e) { return e.row.name; }),
      column(entries, "batch", 'r', [](const Entry& e) { return grouped(e.row.images); })};
  const auto add_if_differing = [&](const char* head, char alignment, const Cell& cell) {
    Column more = column(entries, head, alignment, cell);
    if (!all_same(more.cells)) columns.push_back(std::move(more));
  };
  add_if_differing("work", 'l', [](const Entry& e) { return to_text(e.row.work); });
  const auto is_auto = [](const Entry& e) { return e.row.threads == kAutoThreads; };
  Column threads =
      column(entries, "threads", 'r', [](const Entry& e) { return threads_text(e.row); });
  if (!all_same(threads.cells) || std::any_of(entries.begin(), entries.end(), is_auto)) {
    columns.push_back(std::move(threads));
  }
  add_if_differing("mode", 'l', [](const Entry& e) { return e.row.mode.value_or(""); });
  add_if_differing("step", 'l', [](const Entry& e) { return e.row.step.value_or(""); });
  return columns;
}

BenchTable table_of(const std::vector<Column>& columns) {
  BenchTable table;
  table.rows.resize(columns.front().cells.size() + 1);
  for (const Column& each : columns) {
    table.alignment += each.alignment;
    table.rows[0].push_back(each.head);
    for (size_t i = 0; i < each.cells.size(); ++i) table.rows[i + 1].push_back(each.cells[i]);
  }
  return table;
}

bool has_device_clock(const Entry& entry) {
  return entry.row.repeats.front().samples.device_clock;
}

BenchTable steps_table(const std::vector<Entry>& entries, BenchNotes& notes) {
  std::vector<Column> columns = identity(entries);
  const auto add = [&](const char* head, const Cell& cell) {
    columns.push_back(column(entries, head, 'r', cell));
  };
  const auto add_time = [&](const char* head, double Summary::*time) {
    add(head, [time](const Entry& e) { return number(1e6 * (e.summary.*time)); });
  };
  add_time("median", &Summary::p50);
  add_time("p10", &Summary::p10);
  add_time("p90", &Summary::p90);
  add_time("p99", &Summary::p99);
  add_time("max", &Summary::max);
  add("noise", [](const Entry& e) { return percent_text(e.summary.noise); });
  add("between", [](const Entry& e) { return percent_text(e.summary.between); });
  if (std::any_of(entries.begin(), entries.end(), has_device_clock)) {
    add_time("host", &Summary::host);
  }
  add("images/s",
      [](const Entry& e) { return grouped(std::llround(e.summary.images_per_second)); });
  add("GFLOP/s", [](const Entry& e) { return number(e.summary.gflops_per_second); });
  Column marks = column(entries, "", 'l', [&](const Entry& e) { return notes.mark(e.row); });
  if (!notes.texts().empty()) columns.push_back(std::move(marks));
  return table_of(columns);
}

std::string milliseconds(const BenchRow& row,
                         const std::function<std::optional<double>(const ColdStart&)>& part) {
  std::vector<double> values;
  for (const Repeat& repeat : row.repeats) {
    if (const std::optional<double> seconds = part(repeat.cold_start)) values.push_back(*seconds);
  }
  return values.empty() ? "-" : number(1e3 * median_of(values));
}

BenchTable cold_table(const std::vector<Entry>& entries) {
  std::vector<Column> columns = identity(entries);
  const auto add = [&](const char* head, const auto& part) {
    columns.push_back(
        column(entries, head, 'r', [&](const Entry& e) { return milliseconds(e.row, part); }));
  };
  add("process", [](const ColdStart& c) { return c.process; });
  add("data", [](const ColdStart& c) { return c.data; });
  add("module", [](const ColdStart& c) { return c.module; });
  add("first step", [](const ColdStart& c) { return c.first_step; });
  add("recording", [](const ColdStart& c) { return c.recording; });
  return table_of(columns);
}

// ---- the page around them

// Every device once, as the rows have them.
std::vector<std::string> device_lines(const std::vector<BenchRow>& rows) {
  std::vector<std::string> lines;
  for (const BenchRow& row : rows) {
    const std::string line = row.device + ", " + row.precision;
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
  }
  return lines;
}

std::string title(const std::vector<BenchRow>& rows) {
  const Work work = rows.front().work;
  const bool one = std::all_of(rows.begin(), rows.end(),
                               [work](const BenchRow& row) { return row.work == work; });
  if (!one) return "Microseconds of a training step, an evaluation or a prediction:";
  if (work == Work::kTrain) return "Microseconds of a training step:";
  return work == Work::kEvaluate ? "Microseconds of an evaluation of the held-out set:"
                                 : "Microseconds of a prediction of a batch:";
}

std::string legend(const std::vector<BenchRow>& rows) {
  const size_t repeats = rows.front().repeats.size();
  if (repeats == 1) {
    return "noise: how far the median may be off, one standard error; measured in one process.";
  }
  return fmt::format(
      "noise: how far a process's median may be off, one standard error, the worst of {}; "
      "between:\n"
      "how far the medians of these processes lie apart, one standard deviation.",
      repeats);
}

std::vector<Entry> entries_of(const std::vector<BenchRow>& rows) {
  std::vector<Entry> entries;
  entries.reserve(rows.size());
  for (const BenchRow& row : rows) entries.push_back({row, summarize(row)});
  return entries;
}

// Where the time of each row's step goes, and how near it comes to the ceilings, as far as asked
// for. fence: around each table.
std::string closer_looks(const std::vector<BenchRow>& rows, const char* fence) {
  std::string text;
  for (const BenchRow& row : rows) {
    if (!row.breakdown && !row.roofline) continue;
    text += fmt::format("\n{}:\n{}", row_name(row), fence);
    if (row.breakdown) text += breakdown_table(*row.breakdown);
    if (row.breakdown && row.roofline) text += '\n';
    if (row.roofline) text += roofline_table(*row.roofline);
    text += fence;
  }
  return text;
}

}  // namespace

std::string bench_table(const std::vector<BenchRow>& rows) {
  const std::vector<Entry> entries = entries_of(rows);
  BenchNotes notes;
  const BenchTable steps = steps_table(entries, notes);
  std::string text;
  for (const std::string& line : device_lines(rows)) text += line + '\n';
  text += '\n' + title(rows) + '\n' + format_table(steps.rows, steps.alignment);
  text += '\n' + legend(rows) + '\n';
  for (size_t i = 0; i < notes.texts().size(); ++i) {
    text += fmt::format("! {} {}\n", i + 1, notes.texts()[i]);
  }
  const BenchTable cold = cold_table(entries);
  text += "\nMilliseconds from the start of a process to its first step:\n";
  return text + format_table(cold.rows, cold.alignment) + closer_looks(rows, "");
}

std::string bench_markdown(const std::vector<BenchRow>& rows) {
  const std::vector<Entry> entries = entries_of(rows);
  BenchNotes notes;
  const BenchTable steps = steps_table(entries, notes);
  std::string text;
  for (const std::string& line : device_lines(rows)) text += "- " + markdown_text(line) + '\n';
  text += '\n' + title(rows) + "\n\n" + format_markdown(steps.rows, steps.alignment) + '\n' +
          legend(rows) + '\n';
  for (size_t i = 0; i < notes.texts().size(); ++i) {
    text += fmt::format("\n**! {}** {}\n", i + 1, markdown_text(notes.texts()[i]));
  }
  text += "\nMilliseconds from the start of a process to its first step:\n\n";
  const BenchTable cold = cold_table(entries);
  return text + format_markdown(cold.rows, cold.alignment) + closer_looks(rows, "```\n");
}

}  // namespace digitron
