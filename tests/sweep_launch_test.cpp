// digitron sweep on several devices, and behind a launcher that fails and kills.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using ::testing::SizeIs;

// What the scripts below begin with; $run is the run's directory, which the script's attempts
// share.
constexpr const char* kLauncher = R"(#!/bin/sh
for word; do
  case $last in --out | --resume) run=$word ;; esac
  last=$word
done
# Trains until something is saved, and kills that; once more if it has come to its end before.
train_and_kill() {
  code=0
  until [ $code = 137 ]; do
    rm -f "$run/resume.safetensors"
    "$@" & child=$!
    until [ -e "$run/resume.safetensors" ]; do sleep 0.01; done
    kill -9 $child
    code=0
    wait $child || code=$?
  done
}
# True for the run's first attempt alone.
is_first() { mkdir "$run/attempted" 2>/dev/null; }
)";

class SweepLaunchTest : public ProgramTest {
 protected:
  ProgramResult sweep(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{
        "sweep", "plain",       "--seeds",  "1-2",
        "--out", file("sweep"), "--common", "--model 'fc 10' --epochs 40 --data '" + data() + "'"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  // The launcher's words; it gets `word` before the command.
  std::string launcher(const std::string& script) const {
    const std::filesystem::path path = file("my launcher");
    std::ofstream(path) << kLauncher << script;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return "'" + path.string() + "' word";
  }

  json run(int seed) const {
    return json::parse(read_file(file("sweep/plain/seed-" + std::to_string(seed) + "/run.json")));
  }
};

TEST_F(SweepLaunchTest, ARunOnEachDevice) {
  const ProgramResult first = sweep({"--devices", "cpu,reference"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(run(1)["command"], AllOf(Contains("--device"), Contains("cpu")));
  EXPECT_THAT(run(2)["command"], AllOf(Contains("--device"), Contains("reference")));
  // Where they were trained does not count.
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--devices", "reference", "--jobs-per-device", "2"}, {}}) {
    EXPECT_THAT(sweep(more).out, HasSubstr("2 of 2 runs are there already"));
  }
}

TEST_F(SweepLaunchTest, SeveralRunsOnADevice) {
  const ProgramResult result = sweep({"--devices", "cpu", "--jobs-per-device", "2"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const int seed : {1, 2}) {
    EXPECT_THAT(run(seed)["command"], AllOf(Contains("cpu"), Contains("--threads")));
  }
}

TEST_F(SweepLaunchTest, TriesAgainWhatFailedOrWasKilled) {
  const std::string launch = launcher(R"(
shift
case $run in
  *seed-1) if is_first; then echo "no node"; exit 5; fi; sleep 0.05 ;;
  *seed-2) if is_first; then train_and_kill "$@"; exit 137; fi ;;
esac
"$@"
echo "the launcher fails at the end"; exit 1
)");
  const ProgramResult result = sweep({"--launch", launch});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("plain, seed 1 ended with exit code 5: no node; trying again, 1 of 1"));
  EXPECT_THAT(result.out, HasSubstr("plain, seed 2 ended with exit code 137: "));
  EXPECT_THAT(result.out, HasSubstr("[2/2] "));
  EXPECT_FALSE(run(1).contains("resumed"));
  EXPECT_THAT(run(2)["resumed"], SizeIs(1));
  EXPECT_THAT(sweep({"--launch", launch}).out, HasSubstr("2 of 2 runs are there already"));
}

TEST_F(SweepLaunchTest, NamesWhatFailsEachTime) {
  const ProgramResult result = sweep(
      {"--retries", "2", "--launch", launcher("echo digitron: no GPU; echo srun: bye; exit 4")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("4: digitron: no GPU; trying again, 2 of 2"));
  EXPECT_THAT(result.err, HasSubstr("2 of the runs failed; plain, seed "));
  EXPECT_THAT(result.err, HasSubstr("4: digitron: no GPU (see "));
}

TEST_F(SweepLaunchTest, WrongOptionsAreNotTriedAgain) {
  const ProgramResult result = sweep({"bad: --lr x", "--launch", launcher("shift; exec \"$@\"")});
  expect_error(result, 2, "bad, seed ");
  EXPECT_THAT(result.out, Not(HasSubstr("trying again")));
}

TEST_F(SweepLaunchTest, AKilledSweepGoesOnWhereItWas) {
  const std::string launch = launcher(R"(
shift
if is_first; then train_and_kill "$@"; kill -9 $PPID; sleep 2; exit 1; fi
"$@"
)");
  EXPECT_EQ(sweep({"--jobs", "1", "--launch", launch}).exit_code, 137);
  std::filesystem::create_directories(file("sweep/plain/seed-2/attempted"));
  const ProgramResult second = sweep({"--launch", launch});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(run(1)["resumed"], SizeIs(1));
  EXPECT_FALSE(run(2).contains("resumed"));
}

TEST_F(SweepLaunchTest, BeginsAnewWhatCannotBeContinued) {
  const std::string launch = launcher(R"(
shift
if is_first; then train_and_kill "$@"; echo damaged >"$run/resume.safetensors"; exit 137; fi
exec "$@"
)");
  const ProgramResult result = sweep({"--seeds", "1", "--launch", launch});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("plain, seed 1 cannot be continued and begins anew: digitron: "));
  EXPECT_FALSE(run(1).contains("resumed"));
}

TEST_F(SweepLaunchTest, BadRequests) {
  expect_error(sweep({"--devices", "cpu,cuda:99"}), 2,
               "'cuda:99' is not available here; give some of ");
  expect_error(sweep({"--devices", "cpu,cpu"}), 2, "--devices names cpu twice; give it once");
  for (const char* launch : {"no-such-launcher --ntasks=1", "''", "/etc/passwd", "/"}) {
    expect_error(sweep({"--launch", launch}), 2,
                 "here that you may run; install it, put its folder");
  }
  expect_error(sweep({"--retries", "101"}), 2, "--retries is 101; give 0 to 100");
  expect_error(sweep({"--devices", "cpu", "--jobs-per-device", "0"}), 2, "give 1 to 1024");
}

}  // namespace
}  // namespace digitron
