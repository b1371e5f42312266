// A sweep's results as tables and as JSON.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/machine/build.h"
#include "host/machine/json_or_null.h"
#include "host/machine/machine.h"
#include "host/sweep/sweep.h"
#include "host/text/table.h"

namespace digitron {

namespace {

bool has_validation(const SweepReport& report) {
  for (const SweepResult& result : report.settings) {
    if (!result.validation.empty()) return true;
  }
  return false;
}

std::string percent(double fraction) {
  return fmt::format("{:.2f}", 100 * fraction);
}

// A heading, then a row for each setting; accuracies in percent.
std::vector<Row> rows(const SweepReport& report) {
  const bool validated = has_validation(report);
  std::vector<Row> rows{{"setting", "runs", "mean", "sd", "min", "max", "p"}};
  if (validated) rows[0].insert(rows[0].begin() + 2, "validation");
  for (const SweepResult& result : report.settings) {
    Row row{result.name, std::to_string(result.test_accuracy.size())};
    if (validated) {
      const auto validation = statistics(result.validation);
      row.push_back(validation ? percent(validation->mean) : "");
    }
    if (const auto s = statistics(result.test_accuracy)) {
      row.push_back(percent(s->mean));
      row.push_back(s->count > 1 ? percent(s->deviation) : "");
      row.push_back(percent(s->lowest));
      row.push_back(percent(s->highest));
      row.push_back(result.significance.p ? p_text(*result.significance.p) : "");
    }
    row.resize(rows[0].size());
    rows.push_back(std::move(row));
  }
  return rows;
}

// Names to the left, numbers to the right.
std::string alignment(const std::vector<Row>& rows) {
  return "l" + std::string(rows[0].size() - 1, 'r');
}

// What the last column is.
std::string note(const SweepReport& report) {
  size_t most = 0;
  for (const SweepResult& result : report.settings) {
    most = std::max(most, result.test_accuracy.size());
  }
  if (most == 1) return "One seed a setting: no spread, no test.\n";
  return "p: Welch's test against the first setting, raised by Holm's rule over all of them.\n";
}

}  // namespace

std::string sweep_table(const SweepReport& report) {
  const std::vector<Row> table = rows(report);
  return format_table(table, alignment(table)) + note(report);
}

std::string sweep_markdown(const SweepReport& report) {
  const std::vector<Row> table = rows(report);
  return format_markdown(table, alignment(table)) + "\n" + note(report);
}

nlohmann::ordered_json sweep_json(const SweepRequest& request, const SweepReport& report) {
  nlohmann::ordered_json json;
  json["digitron"] = version();
  json["command"] = request.command;
  json["finished"] = utc_now();
  json["cpu"] = cpu_name();
  json["common"] = request.common;
  json["seeds"] = request.seeds;
  json["settings"] = nlohmann::ordered_json::array();
  for (const SweepResult& result : report.settings) {
    nlohmann::ordered_json setting;
    setting["name"] = result.name;
    setting["options"] = result.options;
    setting["seeds"] = result.seeds;
    setting["test_accuracy"] = result.test_accuracy;
    if (!result.validation.empty()) setting["validation_accuracy"] = result.validation;
    if (const auto s = statistics(result.test_accuracy)) {
      setting["mean"] = s->mean;
      setting["standard_deviation"] = s->deviation;
    }
    setting["p"] = json_or_null(result.significance.raw);
    setting["p_holm"] = json_or_null(result.significance.p);
    json["settings"].push_back(std::move(setting));
  }
  json["failures"] = nlohmann::ordered_json::array();
  for (const SweepFailure& failure : report.failures) json["failures"].push_back(failure.text());
  return json;
}

}  // namespace digitron
