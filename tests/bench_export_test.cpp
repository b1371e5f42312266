#include "host/bench/bench_export.h"

#include <gmock/gmock.h>

#include <sstream>

#include "tests/bench_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using testing::cpu_row;
using ::testing::ElementsAre;
using testing::gpu_row;
using testing::report_of;

// The fields of a line without line breaks inside quotes.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

TEST(BenchCsvTest, Schema) {
  BenchRow bad = gpu_row();
  bad.repeats[0].quiet = {{"warnings", {"the \"CPU\" was busy"}}};
  bad.repeats[1].samples.missed = "--max-noise 0.5 %: 1.2 %";
  std::istringstream lines(bench_csv(report_of({cpu_row(), bad})));
  std::vector<std::vector<std::string>> table;
  for (std::string line; std::getline(lines, line);) {
    ASSERT_EQ(line.back(), '\r');
    line.pop_back();
    table.push_back(csv_fields(line));
  }
  ASSERT_EQ(table.size(), 3u);
  EXPECT_THAT(table[0],
              ElementsAre("model", "name", "text", "batch", "work", "device", "precision",
                          "threads", "mode", "step", "steps_per_sample", "settings", "flops",
                          "repeats", "clock", "p10", "p50", "p90", "p99", "max", "noise", "between",
                          "host", "images_per_second", "gflops_per_second", "missed", "warnings"));
  for (const auto& row : table) ASSERT_EQ(row.size(), table[0].size());
  EXPECT_EQ(table[1][2], "\"conv 6x5 pad 2, relu\"");
  EXPECT_EQ(table[1][7], "2");
  EXPECT_EQ(table[1][8], "");
  EXPECT_EQ(table[2][11], "\"{\"\"optimizer\"\":\"\"adam\"\"}\"");
  EXPECT_EQ(table[2][25], "--max-noise 0.5 %: 1.2 %");
  EXPECT_EQ(table[2][26], "\"the \"\"CPU\"\" was busy\"");
}

// As google/benchmark, src/json_reporter.cc, writes it.
TEST(GoogleBenchmarkTest, Schema) {
  const ordered_json file = google_benchmark_json(report_of({cpu_row(), gpu_row()}));
  for (const char* key : {"date", "host_name", "executable", "num_cpus", "load_avg"})
    EXPECT_TRUE(file["context"].contains(key)) << key;
  ASSERT_EQ(file["benchmarks"].size(), 2u * (2 + 4));
  for (const ordered_json& entry : file["benchmarks"]) {
    for (const char* key :
         {"name", "family_index", "per_family_instance_index", "run_name", "run_type",
          "repetitions", "threads", "iterations", "real_time", "cpu_time", "time_unit"})
      EXPECT_TRUE(entry.contains(key)) << key;
    EXPECT_EQ(entry["time_unit"], "us");
    EXPECT_EQ(entry.contains("aggregate_name"), entry["run_type"] == "aggregate");
    EXPECT_EQ(entry.contains("repetition_index"), entry["run_type"] == "iteration");
  }
}

TEST(GoogleBenchmarkTest, ARepeatIsARepetition) {
  const ordered_json file = google_benchmark_json(report_of({gpu_row()}));
  const ordered_json& first = file["benchmarks"][0];
  EXPECT_EQ(first["name"], "lenet5/train/batch:64/mode:graph/step:fused");
  EXPECT_EQ(first["iterations"], 3 * 32);
  EXPECT_DOUBLE_EQ(first["real_time"], 1200);
  EXPECT_DOUBLE_EQ(first["cpu_time"], 2400);
  EXPECT_DOUBLE_EQ(first["items_per_second"], 64 / 1200e-6);
  EXPECT_DOUBLE_EQ(file["benchmarks"][1]["real_time"], 1050);
  const ordered_json& mean = file["benchmarks"][2];
  EXPECT_EQ(mean["name"], "lenet5/train/batch:64/mode:graph/step:fused_mean");
  EXPECT_EQ(mean["run_name"], first["name"]);
  EXPECT_DOUBLE_EQ(mean["real_time"], 1125);
  const ordered_json& cv = file["benchmarks"][5];
  EXPECT_EQ(cv["aggregate_unit"], "percentage");
  EXPECT_NEAR(cv["real_time"], 106.066 / 1125, 1e-5);
}

TEST(GoogleBenchmarkTest, OneRepeatHasNoAggregates) {
  BenchRow row = cpu_row();
  row.repeats.pop_back();
  EXPECT_EQ(google_benchmark_json(report_of({row}))["benchmarks"].size(), 1u);
}

}  // namespace
}  // namespace digitron
