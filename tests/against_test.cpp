#include "host/bench/against.h"

#include "host/core/error.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::run_program;
using ::testing::StartsWith;

// A build of the program that does this, a shell's lines, in place of measuring a row; "$@" is its
// command line and $row the file that the row goes to.
constexpr const char* kOtherBuild = R"sh(#!/bin/sh
row=
for word in "$@"; do
  [ "$previous" = --row-file ] && row=$word
  previous=$word
done
if [ -z "$row" ]; then exec "$DIGITRON" "$@"; fi
)sh";

class AgainstTest : public testing::ProgramTest {
 protected:
  std::string program_that(const std::string& lines) const {
    std::string script = replaced_digitron(kOtherBuild + lines);
    return executable("other", script);
  }
  std::string executable(const std::string& name, const std::string& text) const {
    testing::write_file(file(name), text);
    std::filesystem::permissions(file(name), std::filesystem::perms::owner_all);
    return file(name);
  }
  // Measures with the program, and says that the steps of its turn took so many seconds.
  std::string program_of_speed(const std::string& seconds) const {
    return program_that(R"sh("$DIGITRON" "$@" || exit
sed -i 's/"slices_seconds":\[[^]]*\]/"slices_seconds":[)sh" +
                        seconds + "]/' \"$row\"\n");
  }

  // Pairs that take no time.
  static std::vector<std::string> arguments(const std::vector<std::string>& more) {
    std::vector<std::string> words{"bench",    "--model",  "fc 10",   "--data",     data(),
                                   "--device", "cpu",      "--batch", "16",         "--repeat",
                                   "6",        "--warmup", "0",       "--min-time", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  static ProgramResult against(const std::string& program,
                               const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = arguments({"--against", program});
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }

 private:
  static std::string replaced_digitron(std::string script) {
    const std::string name = "$DIGITRON";
    for (size_t at = 0; (at = script.find(name, at)) != std::string::npos;) {
      script.replace(at, name.size(), testing::moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM));
    }
    return script;
  }
};

TEST_F(AgainstTest, MeasuresItselfAndWritesBothSides) {
  const ProgramResult result =
      against(testing::moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM),
              {"--margin", "100", "--fail-slower", "100", "--threads", "1,2", "--repeat", "7",
               "--json", file("b.json"), "--markdown"});
  // Itself it is, but beside other tests one side may be cut off more often than the other.
  EXPECT_THAT(result.exit_code, AnyOf(0, 3)) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("| fc 10, batch 16, train, 2 threads, fp32 | "));
  EXPECT_THAT(result.out, HasSubstr(" | 7 | "));
  EXPECT_THAT(result.out, Not(HasSubstr("build differs")));
  const auto bench = nlohmann::json::parse(testing::read_file(file("b.json")));
  const nlohmann::json& other = bench["against"];
  EXPECT_EQ(other["build"], bench["build"]);
  for (const nlohmann::json* rows : {&bench["rows"], &other["rows"]}) {
    ASSERT_EQ(rows->size(), 2u);
    for (const nlohmann::json& row : *rows) EXPECT_EQ(row["repeats"].size(), 7u);
  }
  EXPECT_EQ(other["verdicts"]["rows"].size(), 2u);
  EXPECT_EQ(other["verdicts"]["margin_percent"], 100);
  EXPECT_EQ(run_program({"compare", file("b.json"), file("b.json")}).exit_code, 0)
      << "this program's side is a bench like any other";
}

TEST_F(AgainstTest, SaysSlowerByItsExitCode) {
  const ProgramResult slower = against(program_of_speed("1e-9"));
  EXPECT_EQ(slower.exit_code, 3) << slower.err;
  EXPECT_THAT(slower.out, HasSubstr("0.0312  slower\n"));
  const ProgramResult faster = against(program_of_speed("1000"));
  EXPECT_EQ(faster.exit_code, 0) << faster.err;
  EXPECT_THAT(faster.out, HasSubstr("0.0312  faster\n"));
}

// Two programs that note with which options they run.
TEST_F(AgainstTest, BothTakeTurnsAndKnowNothingOfPairs) {
  const auto noting = [&](const std::string& name) {
    return executable(name, "#!/bin/sh\necho " + name + " \"$@\" >>\"" + file("log") + "\"\nexec " +
                                testing::moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM) + " \"$@\"\n");
  };
  BenchRequest request;
  request.command = arguments({"--against=x", "--margin", "3", "--fail-slower=4"});
  request.command.insert(request.command.begin(), "digitron");
  request.models = {"fc 10"};
  request.batches = {16};
  request.data = data();
  request.device.device = "cpu";
  request.repeat = 2;
  request.sampling = {.warmup = 0, .min_time = 0.05};
  const std::optional<Contest> contest =
      measure_against(request, rows_of(request), noting("old"), noting("new"), {.paired = true},
                      false, [](size_t, const RowRequest&) {});
  ASSERT_TRUE(contest.has_value());
  for (const Contender* contender : {&contest->old_one, &contest->new_one}) {
    ASSERT_EQ(contender->rows.at(0).repeats.size(), 2u);
    for (const Repeat& repeat : contender->rows[0].repeats) {
      EXPECT_EQ(repeat.samples.slices.size(), 3u) << "of a fiftieth of a second at most";
      EXPECT_EQ(repeat.samples.stopped, "turns");
    }
  }
  EXPECT_FALSE(contest->comparison.rows.at(0).interval.has_value()) << "two pairs show nothing";
  std::istringstream log(testing::read_file(file("log")));
  int runs = 0;
  for (std::string line; std::getline(log, line); ++runs) {
    EXPECT_THAT(line, HasSubstr("--warmup 0 --min-time 0.05 --timeout 0.05 --only-row"));
    for (const char* option : {"--against", "--margin", "--fail-slower"})
      EXPECT_THAT(line, Not(HasSubstr(option)));
  }
  EXPECT_EQ(runs, 4);
}

TEST_F(AgainstTest, SaysInALineWhatIsNoDigitron) {
  expect_error(against(file("none")), 2, "--against: File does not exist: ");
  expect_error(against(data()), 2, "see digitron bench --help");
  testing::write_file(file("text"), "text");
  expect_error(against(file("text")), 2, "text is no digitron that runs here: ");
  expect_error(against("/bin/ls"), 2, "give the path of another build of digitron");
  expect_error(against(executable("silent", "#!/bin/sh\n")), 2, "--version says '' (exit code 0)");
}

TEST_F(AgainstTest, PassesOnWhatAnotherBuildSays) {
  expect_error(against(program_that("echo 'digitron: no --step here' >&2; exit 2\n")), 2,
               file("other") + ": no --step here");
  expect_error(against(program_that("echo 'digitron: no memory' >&2; exit 1\n")), 1,
               file("other") + ": no memory");
  expect_error(against(program_that("kill -SEGV $$\n")), 1,
               file("other") + ": a process that measured ended with exit code 139");
  const ProgramResult warned =
      against(program_that("echo careful\n\"$DIGITRON\" \"$@\"\n"), {"--fail-slower", "100"});
  EXPECT_THAT(warned.out, StartsWith(file("other") + ": careful\n"));
  EXPECT_EQ(warned.out.find("careful"), warned.out.rfind("careful")) << "once";
}

TEST_F(AgainstTest, RowsOfAnotherKindAreRefused) {
  const auto with_row = [&](const std::string& edit) {
    return against(program_that("\"$DIGITRON\" \"$@\" || exit\nsed -i '" + edit + "' \"$row\"\n"));
  };
  expect_error(against(program_that("exit 0\n")), 2, "other wrote no row; take a build whose");
  expect_error(with_row("s/digitron-bench.1/digitron-bench\\/2/"), 2,
               "has the schema digitron-bench/2, but this program reads digitron-bench/1; take a");
  expect_error(with_row("s/\"repeats\":/\"times\":/"), 2, "row 1 has no repeats");
  expect_error(with_row("s/\"flops\":/\"work_done\":/"), 2, "its row is unlike this program's");
  expect_error(with_row("s/\"host_seconds\":\\[[^]]*/\"host_seconds\":[/"), 2,
               "its row is unlike this program's");
  expect_error(with_row("s/\"batch\":16/\"batch\":17/"), 2, "have no row in common");
  const ProgramResult before = against(program_that(R"sh("$DIGITRON" "$@" || exit
sed -i 's/"schema":"[^"]*","build":{.*},"model":/"model":/' "$row"
)sh"),
                                       {"--fail-slower", "100"});
  EXPECT_EQ(before.exit_code, 0) << "a build whose rows named none: " << before.err;
}

TEST_F(AgainstTest, OptionsThatMakeNoSenseAreRefused) {
  const std::string program = testing::moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM);
  expect_error(against(program, {"--repeat", "1"}), 2,
               "--repeat is 1, and so few pairs can show nothing; give 6 or more");
  expect_error(against(program, {"--margin", "-1"}), 2, "--margin is -1; give a percentage");
  expect_error(against(program, {"--csv", file("b.csv")}), 2, "--csv excludes --against");
  expect_error(against(program, {"--breakdown"}), 2, "--breakdown excludes --against");
  expect_error(against(program, {"--timeout", "3"}), 2, "--timeout excludes --against");
  expect_error(run_program({"bench", "--against", program, "--time-to", "0.9"}), 2, "--against");
  expect_error(run_program({"bench", "--margin", "3"}), 2, "--margin requires --against");
}

}  // namespace
}  // namespace digitron
