#include "host/report/sweep_record.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/files/json.h"
#include "host/files/read_text.h"
#include "host/report/figures.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr size_t kMostFailures = 5;  // that are told one by one

std::vector<std::string> strings_of(const ordered_json& object, const char* key) {
  std::vector<std::string> strings;
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return strings;
  for (const ordered_json& text : *list) {
    if (text.is_string()) strings.push_back(text.get<std::string>());
  }
  return strings;
}

size_t size_of(const ordered_json& object, const char* key) {
  const auto list = object.find(key);
  return list != object.end() && list->is_array() ? list->size() : 0;
}

std::string text_of(const ordered_json& object, const char* key) {
  const auto text = object.find(key);
  return text != object.end() && text->is_string() ? text->get<std::string>() : "";
}

// When it ended and where.
std::string origin_of(const ordered_json& json) {
  constexpr size_t kDate = 10;  // of "2026-01-31T12:00:00Z"
  std::string origin = text_of(json, "finished").substr(0, kDate);
  const std::string cpu = text_of(json, "cpu");
  if (!cpu.empty()) origin += (origin.empty() ? "on " : ", on ") + cpu;
  return origin;
}

// Nothing where it is no list of fractions.
std::optional<std::vector<double>> fractions(const ordered_json& object, const char* key) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return std::nullopt;
  std::vector<double> values;
  for (const ordered_json& value : *list) {
    if (!value.is_number()) return std::nullopt;
    values.push_back(value.get<double>());
    if (!(values.back() >= 0 && values.back() <= 1)) return std::nullopt;
  }
  return values;
}

// Nothing where it is not as `digitron sweep` writes it.
std::optional<SweepRow> row_of(const ordered_json& setting) {
  if (!setting.is_object()) return std::nullopt;
  const auto name = setting.find("name");
  const auto accuracies = fractions(setting, "test_accuracy");
  if (name == setting.end() || !name->is_string() || !accuracies) return std::nullopt;
  return SweepRow{
      name->get<std::string>(), strings_of(setting, "options"), statistics(*accuracies), {}};
}

// Directories OUT/NAME/seed-N.
size_t count_seed_directories(const fs::path& directory) {
  size_t count = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().filename().string().starts_with("seed-")) ++count;
    if (at.depth() > 0) at.disable_recursion_pending();
  }
  return count;
}

std::string nothing_there(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) return "There is no such file or directory.";
  const size_t seeds = count_seed_directories(directory);
  if (seeds == 0) return "There is no sweep.json; give what digitron sweep wrote to its --out.";
  return fmt::format(
      "There is no sweep.json beside {}: the sweep has not come to its end. Call it again; it "
      "keeps the runs that have.",
      counted(seeds, "run"));
}

void read_rows(SweepRecord& sweep, const ordered_json& json) {
  const auto settings = json.find("settings");
  if (settings == json.end() || !settings->is_array()) {
    sweep.problems.emplace_back("sweep.json lists no settings.");
    return;
  }
  const size_t seeds = size_of(json, "seeds");
  for (size_t i = 0; i < settings->size(); ++i) {
    std::optional<SweepRow> row = row_of((*settings)[i]);
    if (!row) {
      sweep.reference_is_damaged = sweep.reference_is_damaged || i == 0;
      sweep.problems.push_back(fmt::format(
          "Setting {} of sweep.json is not as digitron sweep writes it (a name, and test_accuracy "
          "as fractions); left out{}.",
          i + 1, i == 0 ? ", and with it what the others are compared with" : ""));
      continue;
    }
    const size_t runs = row->accuracy ? row->accuracy->count : 0;
    if (runs < seeds) {
      sweep.problems.push_back(
          fmt::format("{}: {} of {} seeds came to their end.", row->name, runs, seeds));
    }
    sweep.rows.push_back(std::move(*row));
  }
}

void read_failures(SweepRecord& sweep, const ordered_json& json) {
  const std::vector<std::string> failures = strings_of(json, "failures");
  for (size_t i = 0; i < std::min(failures.size(), kMostFailures); ++i) {
    sweep.problems.push_back(failures[i]);
  }
  if (failures.size() > kMostFailures) {
    sweep.problems.push_back(fmt::format("{} more runs failed.", failures.size() - kMostFailures));
  }
}

void test_rows(SweepRecord& sweep) {
  const SweepRow* reference = sweep.reference();
  if (reference == nullptr) return;
  std::vector<std::optional<Statistics>> others;
  for (size_t i = 1; i < sweep.rows.size(); ++i) others.push_back(sweep.rows[i].accuracy);
  const std::vector<Significance> tests = significances(reference->accuracy, others);
  for (size_t i = 1; i < sweep.rows.size(); ++i) sweep.rows[i].significance = tests[i - 1];
}

}  // namespace

const SweepRow* SweepRecord::reference() const {
  if (reference_is_damaged || rows.empty() || !rows[0].accuracy) return nullptr;
  return rows.data();
}

std::vector<const SweepRow*> SweepRecord::by_mean() const {
  std::vector<const SweepRow*> sorted;
  for (const SweepRow& row : rows) {
    if (row.accuracy) sorted.push_back(&row);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const SweepRow* a, const SweepRow* b) {
    return a->accuracy->mean > b->accuracy->mean;
  });
  return sorted;
}

SweepRecord read_sweep(const fs::path& path) {
  SweepRecord sweep;
  sweep.path = path;
  std::error_code error;
  const fs::path file = fs::is_directory(path, error) ? path / "sweep.json" : path;
  if (!fs::is_regular_file(file, error)) {
    sweep.problems.push_back(nothing_there(path));
    return sweep;
  }
  const std::string text = read_text(file, "make it readable");
  const auto json = parse_object<ordered_json>(valid_utf8(text));
  if (!json) {
    sweep.problems.emplace_back("sweep.json is damaged: it is not a whole JSON object.");
    return sweep;
  }
  sweep.common = strings_of(*json, "common");
  sweep.origin = origin_of(*json);
  read_rows(sweep, *json);
  read_failures(sweep, *json);
  if (sweep.by_mean().empty()) sweep.problems.emplace_back("No run of it has come to its end.");
  test_rows(sweep);
  return sweep;
}

}  // namespace digitron
