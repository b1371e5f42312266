#include "host/bench/bench_export.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "host/text/statistics.h"
#include "host/text/text.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// A field as RFC 4180 has it.
std::string csv_field(const ordered_json& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return '"' + replaced(text, "\"", "\"\"") + '"';
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string all;
  for (const std::string& text : texts) {
    if (&text != &texts.front()) all += separator;
    all += text;
  }
  return all;
}

// The columns of a row: its object without what is nested, its summary, and what speaks against
// it.
ordered_json csv_columns(const BenchRow& row) {
  ordered_json columns = row_json(row);
  const ordered_json summary = columns["summary"];
  for (const char* nested : {"details", "repeats", "summary"}) columns.erase(nested);
  columns["repeats"] = row.repeats.size();
  columns["clock"] = row.repeats.front().samples.device_clock ? "device" : "host";
  columns.update(summary);
  std::vector<std::string> missed, warnings;
  for (const Repeat& repeat : row.repeats) {
    if (!repeat.samples.missed.empty()) missed.push_back(repeat.samples.missed);
    for (const std::string& warning : repeat.warnings()) warnings.push_back(warning);
  }
  columns["missed"] = joined(missed, "; ");
  columns["warnings"] = joined(warnings, "; ");
  return columns;
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

ordered_json google_context(const BenchReport& report) {
  double load[3] = {};
  const int loads = std::max(0, getloadavg(load, 3));
  return {{"date", report.date},
          {"host_name", host_name()},
          {"executable", report.command.front()},
          {"num_cpus", std::thread::hardware_concurrency()},
          {"load_avg", std::vector<double>(load, load + loads)}};
}

// What every entry of a row has.
ordered_json google_entry(const BenchRow& row, size_t family, const std::string& aggregate) {
  const std::string name = row_name(row);
  ordered_json entry{{"name", aggregate.empty() ? name : name + "_" + aggregate},
                     {"family_index", family},
                     {"per_family_instance_index", 0},
                     {"run_name", name},
                     {"run_type", aggregate.empty() ? "iteration" : "aggregate"},
                     {"repetitions", row.repeats.size()},
                     {"threads", row.repeats.back().threads.value_or(row.threads.value_or(1))}};
  if (aggregate.empty()) return entry;
  entry["aggregate_name"] = aggregate;
  entry["aggregate_unit"] = aggregate == "cv" ? "percentage" : "time";
  return entry;
}

// A coefficient of variation is a plain fraction, whatever its entry's unit says.
void set_times(ordered_json& entry, size_t iterations, double real, double cpu,
               double per_unit = 1e6) {
  entry["iterations"] = iterations;
  entry["real_time"] = per_unit * real;
  entry["cpu_time"] = per_unit * cpu;
  entry["time_unit"] = "us";
}

void add_row(ordered_json& entries, const BenchRow& row, size_t family) {
  std::vector<double> real, cpu;
  for (const Repeat& repeat : row.repeats) {
    const std::vector<double>& samples = repeat.samples.seconds;
    real.push_back(median_of(samples));
    cpu.push_back(repeat.samples.cpu_seconds);
    ordered_json entry = google_entry(row, family, "");
    entry["repetition_index"] = real.size() - 1;
    const auto steps = static_cast<size_t>(row.steps_per_sample);
    set_times(entry, samples.size() * steps, real.back(), cpu.back());
    entry["items_per_second"] = row.images / real.back();
    entries.push_back(std::move(entry));
  }
  if (real.size() < 2) return;
  const auto add = [&](const char* aggregate, double r, double c, double per_unit = 1e6) {
    entries.push_back(google_entry(row, family, aggregate));
    set_times(entries.back(), real.size(), r, c, per_unit);
  };
  const Statistics r = *statistics(real);
  const Statistics c = *statistics(cpu);
  add("mean", r.mean, c.mean);
  add("median", median_of(real), median_of(cpu));
  add("stddev", r.deviation, c.deviation);
  add("cv", r.deviation / r.mean, c.deviation / c.mean, 1);
}

}  // namespace

std::string row_name(const BenchRow& row) {
  std::string name = fmt::format("{}/{}/batch:{}", row.model, to_text(row.work), row.images);
  if (row.threads)
    name += "/threads:" + (*row.threads == kAutoThreads ? "auto" : std::to_string(*row.threads));
  if (row.mode) name += "/mode:" + *row.mode;
  if (row.step) name += "/step:" + *row.step;
  return name;
}

std::string bench_csv(const BenchReport& report) {
  std::string text;
  for (const BenchRow& row : report.rows) {
    const ordered_json columns = csv_columns(row);
    std::vector<std::string> names, fields;
    for (const auto& [name, value] : columns.items()) {
      names.push_back(name);
      fields.push_back(csv_field(value));
    }
    if (text.empty()) text = joined(names, ",") + "\r\n";
    text += joined(fields, ",") + "\r\n";
  }
  return text;
}

ordered_json google_benchmark_json(const BenchReport& report) {
  ordered_json entries = ordered_json::array();
  for (size_t i = 0; i < report.rows.size(); ++i) add_row(entries, report.rows[i], i);
  return {{"context", google_context(report)}, {"benchmarks", entries}};
}

}  // namespace digitron
