// A comparison as a table and as JSON.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/bench/compare.h"
#include "host/files/json.h"
#include "host/text/table.h"
#include "host/text/text.h"

namespace digitron {

namespace {

const char* verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSame:
      return "same";
    case Verdict::kFaster:
      return "faster";
    case Verdict::kSlower:
      return "slower";
    case Verdict::kAmbiguous:
      break;
  }
  return "ambiguous";
}

std::string step_microseconds(double seconds) {
  return fmt::format("{:.1f}", 1e6 * seconds);
}

std::string repeats_cell(const RowSide& side) {
  return side.used == side.repeats ? std::to_string(side.used)
                                   : fmt::format("{} of {}", side.used, side.repeats);
}

std::vector<Row> comparison_rows(const Comparison& comparison) {
  const bool paired = comparison.settings.paired;
  std::vector<Row> rows{{"row", "old us", "new us", paired ? "pairs" : "repeats", "ratio",
                         "interval", "p", "verdict"}};
  for (const RowComparison& row : comparison.rows) {
    const std::string interval =
        row.interval ? fmt::format("{:.3f} to {:.3f}", row.interval->low, row.interval->high) : "";
    rows.push_back({row.name, step_microseconds(row.old_side.seconds),
                    step_microseconds(row.new_side.seconds),
                    repeats_cell(row.old_side) + (paired ? "" : ", " + repeats_cell(row.new_side)),
                    fmt::format("{:.3f}", row.ratio), interval, row.p ? p_text(*row.p) : "",
                    verdict_word(row.verdict)});
  }
  return rows;
}

std::string file_line(const char* which, const BenchFile& file) {
  return fmt::format("{}: {}{}{}", which, one_line(file.path.string()),
                     file.date.empty() ? "" : ", ", file.date);
}

// What stands above the table, and what below, a line each.
std::vector<std::string> comparison_head(const BenchFile& old_file, const BenchFile& new_file,
                                         const Comparison& comparison) {
  std::vector<std::string> lines{file_line("old", old_file), file_line("new", new_file)};
  for (const auto& [what, list] :
       {std::pair("build", &comparison.build), std::pair("machine", &comparison.machine)}) {
    for (const Difference& fact : *list) {
      lines.push_back(fmt::format("{} differs: {}", what, fact.text()));
    }
  }
  return lines;
}

std::vector<std::string> comparison_foot(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (const std::string& name : comparison.only_old) lines.push_back("only in old: " + name);
  for (const std::string& name : comparison.only_new) lines.push_back("only in new: " + name);
  const size_t count = comparison.rows.size();
  lines.push_back(fmt::format("slower, faster: p <= 0.05{}, and the ratio new/old beyond {:g} %",
                              count > 1 ? fmt::format(" (Holm's, {} rows)", count) : "",
                              comparison.settings.margin));
  lines.emplace_back("same: the ratio's 95 % interval lies within that");
  lines.emplace_back("ambiguous: neither; more repeats make the interval narrower");
  const bool disturbed =
      std::any_of(comparison.rows.begin(), comparison.rows.end(), [](const RowComparison& row) {
        return row.old_side.used < row.old_side.repeats || row.new_side.used < row.new_side.repeats;
      });
  if (disturbed) {
    lines.emplace_back("Repeats on a machine that was not quiet are left out; --trust counts them");
  }
  if (comparison.sways()) {
    lines.emplace_back(
        "The machine's speed changed between repeats, by more than old and new differ: "
        "bench both again when it is steady");
  }
  if (comparison.lacks_repeats()) {
    lines.push_back(fmt::format(
        "Too few undisturbed repeats to show any difference: bench both with --repeat {}",
        repeats_needed(count)));
  }
  return lines;
}

nlohmann::ordered_json json_of_side(const RowSide& side) {
  return {{"seconds", side.seconds},
          {"repeats", side.repeats},
          {"used", side.used},
          {"sway", side.sway}};
}

nlohmann::ordered_json json_of_row(const RowComparison& row) {
  nlohmann::ordered_json json{{"row", row.name},
                              {"old", json_of_side(row.old_side)},
                              {"new", json_of_side(row.new_side)},
                              {"ratio", row.ratio},
                              {"interval", nullptr},
                              {"p", nullptr},
                              {"verdict", verdict_word(row.verdict)},
                              {"fails", row.fails}};
  if (row.interval) json["interval"] = {row.interval->low, row.interval->high};
  if (row.p) json["p"] = *row.p;
  return json;
}

nlohmann::ordered_json json_of_file(const BenchFile& file) {
  return {{"file", valid_utf8(file.path.string())},
          {"date", file.date},
          {"build", file.build},
          {"machine", file.machine}};
}

}  // namespace

std::string comparison_text(const BenchFile& old_file, const BenchFile& new_file,
                            const Comparison& comparison, bool markdown) {
  const std::vector<Row> rows = comparison_rows(comparison);
  const char* const alignment = "lrrrrrrl";
  std::string text;
  const auto add_lines = [&](const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      text += markdown ? "- " + markdown_text(line) + "\n" : line + "\n";
    }
  };
  add_lines(comparison_head(old_file, new_file, comparison));
  text += "\n";
  text += markdown ? format_markdown(rows, alignment) : format_table(rows, alignment);
  text += "\n";
  add_lines(comparison_foot(comparison));
  return text;
}

nlohmann::ordered_json comparison_json(const BenchFile& old_file, const BenchFile& new_file,
                                       const Comparison& comparison) {
  nlohmann::ordered_json json{{"schema", "digitron-compare/1"},
                              {"old", json_of_file(old_file)},
                              {"new", json_of_file(new_file)}};
  json.update(verdicts_json(comparison));
  return json;
}

nlohmann::ordered_json verdicts_json(const Comparison& comparison) {
  const CompareSettings& settings = comparison.settings;
  nlohmann::ordered_json json{{"margin_percent", settings.margin},
                              {"fail_slower_percent", settings.fail_slower},
                              {"confidence", kConfidence},
                              {"rows", nlohmann::ordered_json::array()}};
  for (const RowComparison& row : comparison.rows) json["rows"].push_back(json_of_row(row));
  json["only_old"] = comparison.only_old;
  json["only_new"] = comparison.only_new;
  json["fails"] = comparison.fails();
  return json;
}

}  // namespace digitron
