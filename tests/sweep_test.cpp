#include "host/sweep/sweep.h"

#include <gmock/gmock.h>

#include <deque>
#include <filesystem>
#include <map>
#include <thread>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/process/process_pool.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::wait_for;

TEST(SweepTextTest, SplitsWordsAsAShellDoes) {
  EXPECT_THAT(split_words(""), IsEmpty());
  EXPECT_THAT(split_words("  --lr  0.1\t--augment "), ElementsAre("--lr", "0.1", "--augment"));
  EXPECT_THAT(split_words("--model 'fc 20, relu, fc 10' \"\" a'b c'd"),
              ElementsAre("--model", "fc 20, relu, fc 10", "", "ab cd"));
  EXPECT_THAT(error_of<InputError>([] { split_words("--model 'fc 10"); }),
              HasSubstr("a quote is left open in '--model 'fc 10'"));
}

TEST(SweepTextTest, ReadsSettings) {
  const SweepSetting plain = parse_setting("plain");
  EXPECT_EQ(plain.name, "plain");
  EXPECT_THAT(plain.options, IsEmpty());
  const SweepSetting decay = parse_setting("weight decay: --weight-decay 5e-4");
  EXPECT_EQ(decay.name, "weight decay");
  EXPECT_THAT(decay.options, ElementsAre("--weight-decay", "5e-4"));
}

TEST(SweepTextTest, ReadsSeeds) {
  EXPECT_THAT(parse_seeds("7"), ElementsAre(7u));
  EXPECT_THAT(parse_seeds("1-3,9,4-4"), ElementsAre(1u, 2u, 3u, 9u, 4u));
  EXPECT_THAT(parse_seeds("18446744073709551614-18446744073709551615"),
              ElementsAre(18446744073709551614u, 18446744073709551615u));
  for (const char* text :
       {"", "a", "1,", ",1", "3-1", "1-", "-1", "1 2", "1-100000", "99999999999999999999"}) {
    EXPECT_THAT(error_of<InputError>([&] { parse_seeds(text); }),
                HasSubstr("; give numbers and ranges, such as 1-5"))
        << text;
  }
}

Job shell(const TemporaryDirectory& directory, const std::string& script) {
  return {{"/bin/sh", "-c", script}, directory / "log"};
}

TEST(SweepTextTest, TellsTheFirstFailureThatIsTheUsers) {
  SweepReport report;
  throw_failure(report);
  report.failures = {{"a, seed 1", 137, "last", "log"}};
  EXPECT_EQ(error_of<MachineError>([&] { throw_failure(report); }),
            "1 of the runs failed; a, seed 1 ended with exit code 137: last (see log)");
  report.failures = {{"a, seed 1", 137, "last", "log"}, {"b, seed 1", 2, "digitron: no", "log"}};
  EXPECT_EQ(error_of<InputError>([&] { throw_failure(report); }), "b, seed 1: no");
}

TEST(ProcessPoolTest, RunsEachJobOnceAndReportsHowItEnded) {
  const TemporaryDirectory directory;
  const std::vector<Job> jobs{shell(directory, "exit 3"), shell(directory, "exit 0"),
                              shell(directory, "kill -9 $$")};
  std::map<size_t, int> ended;
  const std::atomic<bool> stop = false;
  run_jobs(jobs, 2, stop, [&](size_t index, int code) { ended[index] = code; });
  EXPECT_THAT(ended, ElementsAre(std::pair(0u, 3), std::pair(1u, 0), std::pair(2u, 137)));
}

TEST(ProcessPoolTest, StartsNoFurtherJobOnceStopped) {
  const TemporaryDirectory directory;
  const std::vector<Job> jobs(5, shell(directory, "exit 0"));
  std::atomic<bool> stop = false;
  int ended = 0;
  run_jobs(jobs, 1, stop, [&](size_t, int) { stop = ++ended == 2; });
  EXPECT_EQ(ended, 2);
}

TEST(ProcessPoolTest, AStopReachesTheJobsThatRun) {
  const TemporaryDirectory directory;
  const std::string started = directory / "started";
  const Job job =
      shell(directory, "trap 'exit 7' TERM; : >'" + started + "'; while :; do sleep 0.01; done");
  std::atomic<bool> stop = false;
  const std::jthread user([&] {
    while (!std::filesystem::exists(started)) std::this_thread::yield();
    stop = true;
  });
  int code = 0;
  run_jobs({job, job}, 1, stop, [&](size_t, int exit_code) { code = exit_code; });
  EXPECT_EQ(code, 7);
}

TEST(ProcessPoolTest, AStopReachesWhatAJobHasStarted) {
  const TemporaryDirectory directory;
  const std::string started = directory / "started";
  const std::string ended = directory / "ended";
  const Job job = shell(directory, "(trap ': >\"" + ended + "\"; exit' TERM; : >'" + started +
                                       "'; while :; do sleep 0.01; done) & wait");
  std::atomic<bool> stop = false;
  const std::jthread user([&] {
    while (!std::filesystem::exists(started)) std::this_thread::yield();
    stop = true;
  });
  run_jobs({job}, 1, stop, [](size_t, int) {});
  EXPECT_TRUE(wait_for([&] { return std::filesystem::exists(ended); }));
}

TEST(ProcessPoolTest, AnEmptySlotIsFilledAgain) {
  const TemporaryDirectory directory;
  std::deque<std::string> waiting{"exit 1", "exit 2"};
  std::map<size_t, std::vector<int>> ended;  // by slot
  const auto next = [&](size_t) -> std::optional<Job> {
    if (waiting.empty()) return std::nullopt;
    const std::string script = waiting.front();
    waiting.pop_front();
    return shell(directory, script);
  };
  const std::atomic<bool> stop = false;
  run_slots(1, next, stop, [&](size_t slot, int code) {
    ended[slot].push_back(code);
    if (code == 1) waiting.emplace_back("exit 3");  // again, after the others
  });
  EXPECT_THAT(ended, ElementsAre(std::pair(0u, std::vector{1, 2, 3})));
}

TEST(ProcessPoolTest, SaysWhatCannotBeStarted) {
  const TemporaryDirectory directory;
  const std::atomic<bool> stop = false;
  const auto nothing = [](size_t, int) {};
  EXPECT_THAT(error_of<MachineError>([&] {
                run_jobs({{{(directory / "none").string()}, directory / "log"}}, 1, stop, nothing);
              }),
              HasSubstr("cannot run "));
}

class SweepTest : public ProgramTest {
 protected:
  ProgramResult sweep(std::vector<std::string> settings, const std::string& seeds = "1-2") {
    std::vector<std::string> arguments{
        "sweep",       "--seeds",  seeds,
        "--jobs",      "2",        "--out",
        file("sweep"), "--common", "--model 'fc 10' --epochs 1 --data '" + data() + "'"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    return run_program(arguments);
  }
};

TEST_F(SweepTest, ComparesSettingsOverSeedsAndKeepsFinishedRuns) {
  const std::vector<std::string> settings{"plain", "slow: --lr 1e-6",
                                          "smooth: --label-smoothing 0.1"};
  const ProgramResult first = sweep(settings);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("[6/6] "));
  const json report = json::parse(read_file(file("sweep/sweep.json")));
  ASSERT_THAT(report["settings"], SizeIs(3));
  EXPECT_EQ(report["settings"][1]["name"], "slow");
  EXPECT_THAT(report["settings"][1]["test_accuracy"], SizeIs(2));
  EXPECT_LT(report["settings"][1]["mean"], report["settings"][0]["mean"]);
  EXPECT_TRUE(report["settings"][0]["p"].is_null());
  EXPECT_GE(report["settings"][1]["p_holm"], report["settings"][1]["p"]);
  EXPECT_THAT(read_file(file("sweep/sweep.md")), HasSubstr("| slow | 2 |"));

  const ProgramResult second = sweep(settings, "1-3");
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("6 of 9 runs are there already"));
  EXPECT_THAT(second.out, HasSubstr("[3/3] "));
}

TEST_F(SweepTest, AValidationSetHasAColumn) {
  const ProgramResult result = sweep({"plain: --validation 20"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("validation"));
  const json report = json::parse(read_file(file("sweep/sweep.json")));
  EXPECT_THAT(report["settings"][0]["validation_accuracy"], SizeIs(2));
}

TEST_F(SweepTest, ARunThatFailsIsToldAndTheRestGoesOn) {
  const ProgramResult result = sweep({"plain", "bad: --lr x"});
  expect_error(result, 2, ": --lr: 'x' is not a number");
  EXPECT_THAT(result.err, ::testing::StartsWith("digitron: bad, seed "));
  EXPECT_THAT(result.out, HasSubstr("bad, seed 1 ended with exit code 2: digitron: "));
  EXPECT_THAT(read_file(file("sweep/sweep.md")), HasSubstr("| plain | 2 |"));
}

TEST_F(SweepTest, BadRequests) {
  EXPECT_EQ(sweep({"a", "A: --lr 1"}).exit_code, 2);
  EXPECT_THAT(sweep({"a", "A: --lr 1"}).err, HasSubstr("two settings with the name 'A'"));
  EXPECT_THAT(sweep({"plain"}, "x").err, HasSubstr("--seeds is 'x'"));
}

}  // namespace
}  // namespace digitron
