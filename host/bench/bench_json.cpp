#include "host/bench/bench_json.h"

#include "host/machine/build.h"
#include "host/machine/machine.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

template <class T>
std::optional<T> optional_of(const ordered_json& json) {
  return json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
}

ordered_json cold_start_json(const ColdStart& cold) {
  return {{"process", or_null(cold.process)},
          {"data", cold.data},
          {"module", cold.module},
          {"first_step", cold.first_step},
          {"recording", or_null(cold.recording)}};
}

ColdStart cold_start_from_json(const ordered_json& json) {
  return {optional_of<double>(json.at("process")), json.at("data"), json.at("module"),
          json.at("first_step"), optional_of<double>(json.at("recording"))};
}

ordered_json threads_json(std::optional<int> threads) {
  return threads == kAutoThreads ? ordered_json("auto") : or_null(threads);
}

ordered_json repeat_json(const Repeat& repeat) {
  const Samples& samples = repeat.samples;
  ordered_json json{
      {"clock", samples.device_clock ? "device" : "host"},
      {"samples_seconds", samples.seconds},
      {"host_seconds", samples.host_seconds},
      {"cpu_seconds", samples.cpu_seconds},
      {"warmup_samples", samples.warmup},
      {"discarded_samples", samples.discarded},
      {"stopped", samples.stopped},
      {"missed", samples.missed.empty() ? ordered_json() : ordered_json(samples.missed)},
      {"cold_start", cold_start_json(repeat.cold_start)}};
  if (!samples.slices.empty()) json["slices_seconds"] = samples.slices;
  if (repeat.threads) json["threads"] = *repeat.threads;
  if (!repeat.quiet.is_null()) json["quiet"] = repeat.quiet;
  return json;
}

Repeat repeat_from_json(const ordered_json& json) {
  Repeat repeat;
  Samples& samples = repeat.samples;
  samples.device_clock = json.at("clock") == "device";
  samples.seconds = json.at("samples_seconds").get<std::vector<double>>();
  samples.host_seconds = json.at("host_seconds").get<std::vector<double>>();
  samples.cpu_seconds = json.at("cpu_seconds");
  samples.warmup = json.at("warmup_samples");
  samples.discarded = json.at("discarded_samples");
  samples.stopped = json.at("stopped");
  samples.missed = optional_of<std::string>(json.at("missed")).value_or("");
  repeat.cold_start = cold_start_from_json(json.at("cold_start"));
  if (json.contains("slices_seconds"))
    samples.slices = json.at("slices_seconds").get<std::vector<double>>();
  if (json.contains("threads")) repeat.threads = json.at("threads");
  if (json.contains("quiet")) repeat.quiet = json.at("quiet");
  return repeat;
}

ordered_json summary_json(const Summary& summary) {
  return {{"p10", summary.p10},
          {"p50", summary.p50},
          {"p90", summary.p90},
          {"p99", summary.p99},
          {"max", summary.max},
          {"noise", summary.noise},
          {"between", or_null(summary.between)},
          {"host", summary.host},
          {"images_per_second", summary.images_per_second},
          {"gflops_per_second", summary.gflops_per_second}};
}

}  // namespace

ordered_json row_json(const BenchRow& row) {
  ordered_json json{{"model", row.model},
                    {"name", row.name},
                    {"text", row.text},
                    {"batch", row.images},
                    {"work", to_text(row.work)},
                    {"device", row.device},
                    {"precision", row.precision},
                    {"threads", threads_json(row.threads)},
                    {"mode", or_null(row.mode)},
                    {"step", or_null(row.step)},
                    {"steps_per_sample", row.steps_per_sample},
                    {"details", row.details},
                    {"settings", row.settings},
                    {"flops", row.flops}};
  json["repeats"] = ordered_json::array();
  for (const Repeat& repeat : row.repeats) json["repeats"].push_back(repeat_json(repeat));
  json["summary"] = summary_json(summarize(row));
  if (row.breakdown) json["breakdown"] = breakdown_json(*row.breakdown);
  if (row.roofline) json["roofline"] = roofline_json(*row.roofline);
  return json;
}

BenchRow row_from_json(const ordered_json& json) {
  BenchRow row;
  row.model = json.at("model");
  row.name = json.at("name");
  row.text = json.at("text");
  row.work = work_kind(json.at("work"));
  row.images = json.at("batch");
  row.device = json.at("device");
  row.precision = json.at("precision");
  row.threads = json.at("threads") == "auto" ? kAutoThreads : optional_of<int>(json.at("threads"));
  row.mode = optional_of<std::string>(json.at("mode"));
  row.step = optional_of<std::string>(json.at("step"));
  row.steps_per_sample = json.at("steps_per_sample");
  row.details = json.at("details");
  row.settings = json.at("settings");
  row.flops = json.at("flops");
  for (const ordered_json& repeat : json.at("repeats")) {
    row.repeats.push_back(repeat_from_json(repeat));
  }
  if (json.contains("breakdown")) row.breakdown = breakdown_from_json(json.at("breakdown"));
  if (json.contains("roofline")) row.roofline = roofline_from_json(json.at("roofline"));
  return row;
}

ordered_json bench_json(const BenchReport& report) {
  ordered_json json{{"schema", kBenchSchema},
                    {"build", build_json()},
                    {"machine", machine_json()},
                    {"command", report.command},
                    {"date", report.date}};
  if (!report.against.is_null()) json["against"] = report.against;
  json["rows"] = ordered_json::array();
  for (const BenchRow& row : report.rows) json["rows"].push_back(row_json(row));
  return json;
}

std::string bench_file(const BenchReport& report) {
  ordered_json json = bench_json(report);
  const ordered_json rows = std::move(json["rows"]);
  json.erase("rows");
  std::string text = "{";
  for (const auto& [key, value] : json.items()) {
    text += ordered_json(key).dump() + ": " + value.dump() + ",\n ";
  }
  text += "\"rows\": [";
  for (const ordered_json& row : rows) {
    text += (&row == &rows.front() ? "\n  " : ",\n  ") + row.dump();
  }
  return text + "\n ]}\n";
}

}  // namespace digitron
