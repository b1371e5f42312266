#include "host/report/sweep_record.h"

#include <gmock/gmock.h>

#include "host/report/answers.h"
#include "host/report/sweep_part.h"
#include "host/report/sweep_picture.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;
using testing::write_file;

SweepRecord read(const std::string& text) {
  const TemporaryDirectory directory;
  write_file(directory / "sweep.json", text);
  return read_sweep(directory.path());
}

std::vector<std::string> problems(const std::string& text) {
  return read(text).problems;
}

constexpr const char* kSweep =
    R"({"finished": "2026-01-31T12:00:00Z", "cpu": "A CPU", "common": ["--epochs", "1"], "seeds": [1, 2, 3], "settings": [
  {"name": "plain", "options": [], "test_accuracy": [0.980, 0.981, 0.982]},
  {"name": "smooth, slow", "options": ["--label-smoothing", "0.1", "--lr", "0.001"],
   "test_accuracy": [0.990, 0.991, 0.992]},
  {"name": "decay", "options": ["--weight-decay", "5e-4"], "test_accuracy": [0.970, 0.990]}],
  "failures": ["decay, seed 3 ended with exit code 1: no memory"]})";

TEST(SweepRecordTest, IsTestedAndSorted) {
  const SweepRecord sweep = read(kSweep);
  EXPECT_EQ(sweep.origin, "2026-01-31, on A CPU");
  EXPECT_THAT(sweep.problems, ElementsAre("decay: 2 of 3 seeds came to their end.",
                                          "decay, seed 3 ended with exit code 1: no memory"));
  ASSERT_EQ(sweep.by_mean().size(), 3u);
  EXPECT_EQ(sweep.by_mean()[0]->name, "smooth, slow");
  EXPECT_EQ(sweep.by_mean()[2]->name, "decay");
  EXPECT_FALSE(sweep.reference()->significance.p);
  EXPECT_DOUBLE_EQ(*sweep.rows[1].significance.p, 2 * *sweep.rows[1].significance.raw);
  EXPECT_EQ(sweep_answer(sweep),
            "Against plain (98.10%, 3 seeds), better by more than chance: \u201csmooth, "
            "slow\u201d; not shown to help: decay.");
  const Table table = settings_table(sweep);
  EXPECT_THAT(table.rows[1], ElementsAre("smooth, slow", "label smoothing 0.1 and lr 0.001", "3",
                                         "99.10%", "0.10", "+1.00", "yes", "0.0005"));
  EXPECT_EQ(table.rows[2][0], "plain");
  EXPECT_EQ(table.rows[3][6], "not shown");
  EXPECT_THAT(sweep_script(sweep), HasSubstr("'smooth, slow' 0,'plain' 1,'decay' 2"));
  EXPECT_THAT(sweep_script(sweep), HasSubstr("set xrange [80:120]\nset xtics 10\n"))
      << "four steps at most, whose numbers do not meet";
}

TEST(SweepRecordTest, OneSeedIsNoTest) {
  const SweepRecord sweep = read(R"({"settings": [{"name": "a", "test_accuracy": [0.9]},
                                                  {"name": "b", "test_accuracy": [0.8]}]})");
  EXPECT_THAT(sweep.problems, IsEmpty());
  EXPECT_EQ(sweep_answer(sweep),
            "Against a (90.00%, one seed: no spread, no test), not shown to help: b.");
  EXPECT_EQ(settings_table(sweep).rows[2][6], "not tested");
}

TEST(SweepRecordTest, DamageIsToldAndTheRestRead) {
  EXPECT_THAT(problems("{"), ElementsAre(HasSubstr("sweep.json is damaged")));
  EXPECT_THAT(problems("[]"), ElementsAre(HasSubstr("sweep.json is damaged")));
  EXPECT_THAT(problems("{}"),
              ElementsAre("sweep.json lists no settings.", "No run of it has come to its end."));
  for (const char* broken :
       {R"(1)", R"({"name": 1, "test_accuracy": [0.5]})", R"({"name": "x"})",
        R"({"name": "x", "test_accuracy": [2]})", R"({"name": "x", "test_accuracy": ["0.5"]})"}) {
    const std::string fine = R"({"name": "fine", "test_accuracy": [0.5, 0.6]})";
    const SweepRecord second = read(R"({"settings": [)" + fine + "," + broken + "]}");
    EXPECT_THAT(second.problems, ElementsAre(HasSubstr("Setting 2 of sweep.json is not as")));
    EXPECT_TRUE(second.reference());
    const SweepRecord first = read(R"({"settings": [)" + std::string(broken) + "," + fine + "]}");
    EXPECT_THAT(first.problems, ElementsAre(HasSubstr("what the others are compared with")));
    EXPECT_FALSE(first.reference()) << "the second is no reference";
    EXPECT_EQ(first.by_mean().size(), 1u);
    EXPECT_EQ(sweep_answer(first), "The sweep has nothing that could be compared.");
  }
}

TEST(SweepRecordTest, ADirectoryWithoutResults) {
  const TemporaryDirectory directory;
  EXPECT_THAT(read_sweep(directory / "none").problems,
              ElementsAre("There is no such file or directory."));
  EXPECT_THAT(read_sweep(directory.path()).problems,
              ElementsAre(HasSubstr("give what digitron sweep wrote to its --out")));
  write_file(directory / "plain/seed-1/run.json", "{}");
  write_file(directory / "plain/seed-2/run.json", "{}");
  EXPECT_THAT(read_sweep(directory.path()).problems,
              ElementsAre(HasSubstr("There is no sweep.json beside 2 runs")));
}

}  // namespace
}  // namespace digitron
