#include "host/bench/bench_json.h"

#include <gmock/gmock.h>

#include "host/bench/against.h"
#include "tests/bench_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using testing::cpu_row;
using ::testing::ElementsAre;
using testing::gpu_row;
using testing::report_of;

std::vector<std::string> keys(const ordered_json& json) {
  std::vector<std::string> names;
  for (const auto& [name, value] : json.items()) names.push_back(name);
  return names;
}

TEST(BenchJsonTest, Schema) {
  const ordered_json file = ordered_json::parse(bench_file(report_of({cpu_row(), gpu_row()})));
  EXPECT_THAT(keys(file), ElementsAre("schema", "build", "machine", "command", "date", "rows"));
  EXPECT_EQ(file["schema"], "digitron-bench/1");
  EXPECT_EQ(file["command"], (ordered_json{"digitron", "bench"}));
  ASSERT_EQ(file["rows"].size(), 2u);
  for (const ordered_json& row : file["rows"]) {
    EXPECT_THAT(keys(row), ElementsAre("model", "name", "text", "batch", "work", "device",
                                       "precision", "threads", "mode", "step", "steps_per_sample",
                                       "details", "settings", "flops", "repeats", "summary"));
    EXPECT_TRUE(row["details"].is_object() && row["settings"].is_object());
    for (const ordered_json& repeat : row["repeats"]) {
      EXPECT_THAT(keys(repeat), ElementsAre("clock", "samples_seconds", "host_seconds",
                                            "cpu_seconds", "warmup_samples", "discarded_samples",
                                            "stopped", "missed", "cold_start"));
      EXPECT_THAT(keys(repeat["cold_start"]),
                  ElementsAre("process", "data", "module", "first_step", "recording"));
    }
    EXPECT_THAT(keys(row["summary"]),
                ElementsAre("p10", "p50", "p90", "p99", "max", "noise", "between", "host",
                            "images_per_second", "gflops_per_second"));
  }
}

TEST(BenchJsonTest, SchemaOfTheOtherBuild) {
  Contest contest{{"/old/digitron", {{"commit", "c6aebf6"}}, {cpu_row()}}, {}, {}};
  contest.comparison.rows.emplace_back();
  BenchReport report = report_of({cpu_row()});
  report.against = against_json(contest);
  const ordered_json file = ordered_json::parse(bench_file(report));
  EXPECT_THAT(keys(file),
              ElementsAre("schema", "build", "machine", "command", "date", "against", "rows"));
  const ordered_json& against = file["against"];
  EXPECT_THAT(keys(against), ElementsAre("program", "build", "verdicts", "rows"));
  EXPECT_EQ(against["build"]["commit"], "c6aebf6");
  EXPECT_EQ(against["rows"].dump(), ordered_json::array({row_json(cpu_row())}).dump());
  EXPECT_THAT(keys(against["verdicts"]),
              ElementsAre("margin_percent", "fail_slower_percent", "confidence", "rows", "only_old",
                          "only_new", "fails"));
  EXPECT_THAT(keys(against["verdicts"]["rows"][0]),
              ElementsAre("row", "old", "new", "ratio", "interval", "p", "verdict", "fails"));
}

TEST(BenchJsonTest, NullIsWhatThereIsNot) {
  const ordered_json cpu = row_json(cpu_row());
  EXPECT_EQ(cpu["threads"], 2);
  EXPECT_TRUE(cpu["mode"].is_null() && cpu["step"].is_null());
  EXPECT_TRUE(cpu["repeats"][0]["missed"].is_null());
  EXPECT_TRUE(cpu["repeats"][0]["cold_start"]["recording"].is_null());
  const ordered_json gpu = row_json(gpu_row());
  EXPECT_TRUE(gpu["threads"].is_null());
  EXPECT_EQ(gpu["mode"], "graph");
  EXPECT_EQ(gpu["repeats"][0]["clock"], "device");
  BenchRow one = cpu_row();
  one.repeats.pop_back();
  EXPECT_TRUE(row_json(one)["summary"]["between"].is_null());
  EXPECT_TRUE(
      ordered_json::parse(bench_file(report_of({one})))["rows"][0]["summary"]["noise"].is_null())
      << "three samples say nothing of their noise";
}

TEST(BenchJsonTest, ARowComesBackAsItWent) {
  BenchRow row = gpu_row();
  row.work = Work::kPredict;
  row.repeats[0].samples.missed = "--max-noise 0.5 %: 1.2 %";
  row.repeats[0].samples.stopped = "timeout";
  row.repeats[0].samples.discarded = 3;
  row.repeats[0].samples.slices = {1e-3, 2e-3};
  row.repeats[1].quiet = {{"load", 3.5}, {"warnings", {"one", "two"}}};
  row.repeats[1].cold_start.process.reset();
  row.breakdown = Breakdown{{.unit = "clocks", .phases = {{"conv1", "forward", 300, 400}}}, 2e-4};
  row.roofline = Roofline{{1000, 10}, 1e-3, {2e9, 1e9, "products", "a copy"}};
  const ordered_json json = row_json(row);
  const BenchRow back = row_from_json(json);
  EXPECT_EQ(row_json(back), json);
  EXPECT_THAT(back.repeats[1].warnings(), ElementsAre("one", "two"));
  EXPECT_THAT(back.repeats[0].warnings(), ElementsAre());
  EXPECT_EQ(row_json(row_from_json(row_json(cpu_row()))), row_json(cpu_row()));
}

TEST(BenchJsonTest, AutomaticThreadsAreSaidOfEachRepeat) {
  BenchRow row = cpu_row();
  row.threads = kAutoThreads;
  row.repeats[0].threads = 2;
  row.repeats[1].threads = 1;
  const ordered_json json = row_json(row);
  EXPECT_EQ(json["threads"], "auto");
  EXPECT_EQ(json["repeats"][1]["threads"], 1);
  EXPECT_EQ(row_json(row_from_json(json)), json);
}

}  // namespace
}  // namespace digitron
