#include "host/bench/compare.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"
#include "tests/run_program.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::run_program;
using testing::TemporaryDirectory;
using testing::write_file;

constexpr double kStep = 341e-6;

// Medians of five repeats, in which nothing is out of the ordinary.
const std::vector<double> kQuiet{1.000, 1.004, 0.997, 1.002, 0.999};

json repeat_json(double seconds) {
  return {{"clock", "host"},
          {"samples_seconds", {0.9 * seconds, seconds, 1.3 * seconds}},
          {"quiet", {{"warnings", json::array()}}}};
}

json row_json(const std::string& model, const std::vector<double>& factors) {
  json row{{"model", model},
           {"text", "conv of " + model},
           {"batch", 64},
           {"work", "train"},
           {"device", "CPU, AVX-512, 2 threads"},
           {"precision", "fp32"},
           {"threads", 2},
           {"mode", nullptr},
           {"step", nullptr},
           {"steps_per_sample", 1},
           {"settings", {{"momentum", 0.5}}}};
  for (const double factor : factors) row["repeats"].push_back(repeat_json(kStep * factor));
  return row;
}

json bench_json(const std::vector<json>& rows) {
  return {{"schema", "digitron-bench/1"},
          {"build", {{"version", "0.1.0"}, {"commit", "c6aebf6"}}},
          {"machine", {{"cpu", "Xeon"}, {"cores", 2}, {"threads", 2}, {"kernel", "6.1.0"}}},
          {"date", "2026-01-31T12:00:00Z"},
          {"rows", rows}};
}

std::vector<double> times(double factor, std::vector<double> values) {
  for (double& value : values) value *= factor;
  return values;
}

class CompareTest : public ::testing::Test {
 protected:
  BenchFile file(const json& bench) {
    write_file(path(), bench.dump());
    return read_bench_file(path());
  }
  BenchFile measured(const std::vector<double>& factors) {
    return file(bench_json({row_json("lenet5", factors)}));
  }
  std::string error(const std::string& bytes) {
    write_file(path(), bytes);
    return error_of<InputError>([&] { read_bench_file(path()); });
  }
  std::filesystem::path path() const { return directory_ / "bench.json"; }

  TemporaryDirectory directory_;
};

Verdict verdict_of(const BenchFile& old_file, const BenchFile& new_file,
                   const CompareSettings& settings = {}) {
  return compare(old_file, new_file, settings).rows.at(0).verdict;
}

TEST_F(CompareTest, ReadsRows) {
  json bench = bench_json({row_json("lenet5", {1, 1.1})});
  bench["rows"][0]["repeats"][1]["quiet"]["warnings"] = {"busy"};
  const BenchFile read = file(bench);
  ASSERT_EQ(read.rows.size(), 1u);
  EXPECT_EQ(read.rows[0].name, "lenet5, batch 64, train, 2 threads, fp32, momentum 0.5");
  EXPECT_EQ(read.rows[0].device, "CPU");
  ASSERT_EQ(read.rows[0].repeats.size(), 2u);
  EXPECT_DOUBLE_EQ(read.rows[0].repeats[0].seconds, kStep) << "the median, not the mean";
  EXPECT_FALSE(read.rows[0].repeats[0].disturbed);
  EXPECT_TRUE(read.rows[0].repeats[1].disturbed);
}

TEST_F(CompareTest, VerdictsOfOneRow) {
  const BenchFile old_file = measured(kQuiet);
  EXPECT_EQ(verdict_of(old_file, measured(times(1.003, kQuiet))), Verdict::kSame);
  EXPECT_EQ(verdict_of(old_file, measured(times(1.05, kQuiet))), Verdict::kSlower);
  EXPECT_EQ(verdict_of(old_file, measured(times(1 / 1.05, kQuiet))), Verdict::kFaster);
  EXPECT_EQ(verdict_of(old_file, measured(times(1.019, kQuiet))), Verdict::kAmbiguous)
      << "more than chance, but on the margin";
  EXPECT_EQ(verdict_of(old_file, measured({0.9, 1.1, 1.3, 0.95, 1.2})), Verdict::kAmbiguous);
  EXPECT_EQ(verdict_of(old_file, measured(times(1.01, kQuiet)), {.margin = 0.5}), Verdict::kSlower);

  const Comparison comparison = compare(old_file, measured(times(1.05, kQuiet)), {});
  const RowComparison& row = comparison.rows[0];
  EXPECT_NEAR(row.ratio, 1.05, 1e-9);
  EXPECT_NEAR(*row.p, 2.0 / 252, 1e-12);
  EXPECT_NEAR(row.new_side.seconds, 1.05 * kStep, 1e-12);
  EXPECT_TRUE(row.interval->low < 1.05 && 1.05 < row.interval->high);
  EXPECT_TRUE(comparison.fails());
  EXPECT_FALSE(compare(old_file, measured(times(1.05, kQuiet)), {.fail_slower = 10}).fails());
}

TEST_F(CompareTest, AFileIsTheSameAsItself) {
  for (const std::vector<double>& factors : {kQuiet, {1.0}, {0.7, 1.9, 1.0, 1.2, 1.4}}) {
    EXPECT_EQ(verdict_of(measured(factors), measured(factors)), Verdict::kSame);
  }
}

// A speed that changes from pair to pair is in no ratio of theirs.
TEST_F(CompareTest, PairsAreJudgedByTheirRatios) {
  const std::vector<double> swaying{1.00, 1.42, 1.41, 0.99, 1.00, 1.40, 1.41, 1.01, 1.00};
  std::vector<double> slower = times(1.05, swaying);
  slower[4] *= 1.4;  // the speed changed within this pair
  const BenchFile old_file = measured(swaying);
  const BenchFile new_file = measured(slower);
  const Comparison comparison = compare(old_file, new_file, {.paired = true});
  const RowComparison& row = comparison.rows[0];
  EXPECT_NEAR(row.ratio, 1.05, 1e-9);
  EXPECT_NEAR(*row.p, 2.0 / 512, 1e-12);
  EXPECT_EQ(row.verdict, Verdict::kSlower);
  EXPECT_TRUE(comparison.fails());
  EXPECT_EQ(verdict_of(old_file, new_file), Verdict::kAmbiguous);
  EXPECT_EQ(verdict_of(new_file, old_file, {.paired = true}), Verdict::kFaster);
  EXPECT_EQ(verdict_of(old_file, old_file, {.paired = true}), Verdict::kSame);
  EXPECT_THAT(comparison_text(old_file, new_file, comparison, true),
              AllOf(HasSubstr("| pairs |"), HasSubstr(" | 9 | 1.050 | "), HasSubstr("| slower |")));
  EXPECT_EQ(repeats_needed(1, true), 6u);
  EXPECT_EQ(repeats_needed(2, true), 7u) << "2 * 2/64 is more than 0.05";
}

// Within a pair it is the turns that are compared, one by one.
TEST_F(CompareTest, APairIsTheMiddleRatioOfItsTurns) {
  const std::vector<double> six(6, 1.0);
  json bench = bench_json({row_json("lenet5", six)});
  const auto with_slices = [&](const std::vector<double>& slices) {
    for (json& repeat : bench["rows"][0]["repeats"]) repeat["slices_seconds"] = slices;
    return file(bench);
  };
  const BenchFile old_file = with_slices({1.0, 1.4, 1.4, 1.0, 1.0});
  const BenchFile new_file = with_slices({1.1, 1.1, 1.54, 1.5, 1.1});
  EXPECT_NEAR(compare(old_file, new_file, {.paired = true}).rows[0].ratio, 1.1, 1e-9);
  bench["rows"][0]["repeats"][0]["slices_seconds"] = json::array();
  EXPECT_THAT(error(bench.dump()), HasSubstr("row 1 repeat 1 has no slices_seconds"));
}

TEST_F(CompareTest, FewRepeatsShowNothing) {
  const Comparison one = compare(measured({1.0}), measured({2.0}), {});
  EXPECT_EQ(one.rows[0].verdict, Verdict::kAmbiguous);
  EXPECT_FALSE(one.rows[0].p.has_value());
  EXPECT_TRUE(one.lacks_repeats());
  EXPECT_THAT(comparison_text(measured({1.0}), measured({2.0}), one, false),
              HasSubstr("--repeat 5"));
  EXPECT_EQ(repeats_needed(1), 5u);
  EXPECT_EQ(repeats_needed(6), 5u) << "6 * 2/252 is 0.048";
  EXPECT_EQ(repeats_needed(7), 6u);
}

// The same figures in one row or in many: what many rows say by chance is no verdict.
TEST_F(CompareTest, ManyRowsNeedMoreRepeats) {
  std::vector<json> old_rows, new_rows;
  for (int i = 0; i < 7; ++i) {
    old_rows.push_back(row_json("model " + std::to_string(i), kQuiet));
    new_rows.push_back(row_json("model " + std::to_string(i), times(1.05, kQuiet)));
  }
  const Comparison comparison = compare(file(bench_json(old_rows)), file(bench_json(new_rows)), {});
  for (const RowComparison& row : comparison.rows) {
    EXPECT_NEAR(*row.p, 7 * 2.0 / 252, 1e-12);
    EXPECT_EQ(row.verdict, Verdict::kAmbiguous);
  }
  EXPECT_TRUE(comparison.lacks_repeats());
}

TEST_F(CompareTest, DisturbedRepeatsAreLeftOut) {
  json bench = bench_json({row_json("lenet5", times(1.05, kQuiet))});
  const auto disturb = [&](size_t i) {
    bench["rows"][0]["repeats"][i]["quiet"]["warnings"] = {"2 threads had 1.1 cores"};
    bench["rows"][0]["repeats"][i]["samples_seconds"] = {2 * kStep};
  };
  disturb(0);
  const BenchFile old_file = measured(kQuiet);
  Comparison comparison = compare(old_file, file(bench), {});
  EXPECT_EQ(comparison.rows[0].new_side.used, 4u);
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::kSlower);
  EXPECT_LT(comparison.rows[0].interval->high, 1.1);
  EXPECT_GT(compare(old_file, file(bench), {.trust = true}).rows[0].interval->high, 1.9);
  EXPECT_THAT(comparison_text(old_file, file(bench), comparison, false),
              AllOf(HasSubstr("5, 4 of 5"), HasSubstr("--trust counts them")));
  for (size_t i = 1; i < 5; ++i) disturb(i);
  comparison = compare(old_file, file(bench), {});
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::kAmbiguous) << "there is none to judge by";
  EXPECT_NEAR(comparison.rows[0].ratio, 2, 0.01);
}

TEST_F(CompareTest, UnlikeMachinesAreRefused) {
  const BenchFile old_file = measured(kQuiet);
  json bench = bench_json({row_json("lenet5", kQuiet)});
  bench["machine"]["kernel"] = "6.2.0";
  const BenchFile newer = file(bench);
  EXPECT_THAT(comparison_text(old_file, newer, compare(old_file, newer, {}), false),
              HasSubstr("machine differs: kernel (6.1.0 and 6.2.0)"));
  bench["machine"]["cpu"] = "EPYC";
  bench["machine"]["gpus"] = {{{"name", "H100"}, {"driver", "550"}}};
  const BenchFile other = file(bench);
  EXPECT_THAT(error_of<InputError>([&] { compare(old_file, other, {}); }),
              AllOf(HasSubstr("cpu (Xeon and EPYC), gpus (none and [\"H100\"]); "),
                    Not(HasSubstr("kernel")), HasSubstr("--across")));
  EXPECT_EQ(verdict_of(old_file, other, {.across = true}), Verdict::kSame);
  bench["machine"]["gpus"][0]["driver"] = "560";
  EXPECT_EQ(verdict_of(other, file(bench)), Verdict::kSame);
  bench["rows"][0]["device"] = "H100, graph";
  EXPECT_THAT(error_of<InputError>([&] { compare(other, file(bench), {}); }),
              HasSubstr("device (CPU and H100)"));
}

TEST_F(CompareTest, RowsAreMatchedByWhatTheyMeasure) {
  json changed = row_json("lenet5", kQuiet);
  changed["batch"] = 65;
  const json renamed = [] {
    json row = row_json("lenet5", kQuiet);
    row["model"] = "my-net";  // the same text
    return row;
  }();
  const Comparison comparison =
      compare(file(bench_json({row_json("lenet5", kQuiet), row_json("other", kQuiet)})),
              file(bench_json({changed, renamed})), {});
  ASSERT_EQ(comparison.rows.size(), 1u);
  EXPECT_THAT(comparison.only_old, ElementsAre(HasSubstr("other, batch 64")));
  EXPECT_THAT(comparison.only_new, ElementsAre(HasSubstr("lenet5, batch 65")));
  EXPECT_THAT(
      error_of<InputError>([&] { compare(measured(kQuiet), file(bench_json({changed})), {}); }),
      HasSubstr("no row in common"));
}

TEST_F(CompareTest, BrokenFilesAreRefused) {
  EXPECT_THAT(error_of<InputError>([&] { read_bench_file(directory_ / "nowhere"); }),
              HasSubstr("there is no such file"));
  const json good = bench_json({row_json("lenet5", {1, 2})});
  const auto expect_error = [&](const char* place, const json& value, const std::string& message) {
    json bench = good;
    bench[json::json_pointer(place)] = value;
    EXPECT_THAT(error(bench.dump()), AllOf(HasSubstr("bench.json: " + message), HasSubstr("; ")));
  };
  EXPECT_THAT(error("[1, 2]"), HasSubstr("is not JSON as a bench has it"));
  EXPECT_THAT(error("{}"), HasSubstr("it names no schema; give a file that digitron bench --json"));
  expect_error("/schema", "digitron-bench/2", "has the schema digitron-bench/2, but this program");
  expect_error("/rows", json::array(), "has no rows");
  expect_error("/machine", nullptr, "has no machine");
  expect_error("/rows/0", 7, "row 1 is no object");
  expect_error("/rows/0/text", 7, "row 1 has no text, or none that is text");
  expect_error("/rows/0/batch", -1, "row 1 has no batch, or none that is a whole number");
  expect_error("/rows/0/repeats", json::array(), "row 1 has no repeats");
  expect_error("/rows/0/repeats/1/clock", "device", "row 1 repeat 2 is by another clock");
  expect_error("/rows/1", good["rows"][0], "row 2 (lenet5, batch 64, train");
  for (const json& sample : {json(-1e-4), json(0), json(1e300), json(nullptr), json("1e-4")}) {
    expect_error("/rows/0/repeats/1/samples_seconds/2", sample,
                 "row 1 repeat 2 has a sample of " + sample.dump());
  }
  const std::string bytes = good.dump();
  for (size_t length = 0; length < bytes.size(); length += 31) {
    EXPECT_THAT(error(bytes.substr(0, length)), HasSubstr("is cut off")) << length;
  }
  EXPECT_THAT(error(R"({"schema": )" + std::string(100000, '[')), HasSubstr("is not JSON"));
}

TEST_F(CompareTest, OptionsHaveRanges) {
  EXPECT_THAT(error_of<InputError>([] { check_settings({.margin = -1}); }),
              HasSubstr("--margin is -1; give a percentage"));
  EXPECT_THAT(error_of<InputError>([] { check_settings({.fail_slower = std::nan("")}); }),
              HasSubstr("--fail-slower is nan; give a percentage"));
}

TEST_F(CompareTest, ProgramSaysSlowerByItsExitCode) {
  const std::string old_path = directory_ / "old.json";
  const std::string new_path = directory_ / "new.json";
  const std::string json_path = directory_ / "verdicts.json";
  write_file(old_path, bench_json({row_json("a|b", kQuiet)}).dump());
  write_file(new_path, bench_json({row_json("a|b", times(1.05, kQuiet))}).dump());
  EXPECT_EQ(run_program({"compare", old_path, old_path}).exit_code, 0);
  EXPECT_EQ(run_program({"compare", new_path, old_path}).exit_code, 0) << "faster";
  const ProgramResult slower =
      run_program({"compare", old_path, new_path, "--markdown", "--json", json_path});
  EXPECT_EQ(slower.exit_code, 3);
  EXPECT_THAT(slower.out, HasSubstr("| a\\|b, batch 64, train, 2 threads, fp32, momentum 0.5 | "
                                    "341.0 | 358.1 | 5, 5 | 1.050 | 1.045 to 1.055 | 0.0079 | "
                                    "slower |\n"));
  EXPECT_EQ(slower.err, "");

  const json verdicts = json::parse(testing::read_file(json_path));
  EXPECT_EQ(verdicts["schema"], "digitron-compare/1");
  EXPECT_EQ(verdicts["old"]["build"]["commit"], "c6aebf6");
  EXPECT_EQ(verdicts["new"]["file"], new_path);
  EXPECT_EQ(verdicts["fails"], true);
  ASSERT_EQ(verdicts["rows"].size(), 1u);
  const json& row = verdicts["rows"][0];
  EXPECT_EQ(row["verdict"], "slower");
  EXPECT_EQ(row["old"]["used"], 5);
  EXPECT_NEAR(row["ratio"], 1.05, 1e-9);
  EXPECT_NEAR(row["p"], 2.0 / 252, 1e-12);
  EXPECT_EQ(row["interval"].size(), 2u);

  write_file(new_path, "no bench");
  const ProgramResult broken = run_program({"compare", old_path, new_path});
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(broken.err, HasSubstr("digitron: " + new_path + ": is not JSON"));
}

}  // namespace
}  // namespace digitron
