// digitron bench from end to end.
#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::read_file;
using testing::run_program;

class BenchProgramTest : public testing::ProgramTest {
 protected:
  // A bench that stops at once.
  static ProgramResult bench(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"bench",    "--model",   "fc 10",    "--data", data(),
                                       "--device", "cpu",       "--warmup", "0",      "--min-time",
                                       "0",        "--timeout", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
};

TEST_F(BenchProgramTest, MeasuresRowsInFreshProcessesAndWritesEveryFormat) {
  const ProgramResult result = bench({"--batch", "16", "--threads", "1,2", "--repeat", "2",
                                      "--label-smoothing", "0.1", "--json", file("b.json"), "--csv",
                                      file("b.csv"), "--google-benchmark", file("g.json")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("\nfc 10     16        2  "));
  EXPECT_THAT(result.out, HasSubstr("timed out short of"));
  const json file_json = json::parse(read_file(file("b.json")));
  EXPECT_EQ(file_json["schema"], "digitron-bench/1");
  EXPECT_EQ(file_json["command"][1], "bench");
  ASSERT_EQ(file_json["rows"].size(), 2u);
  for (const json& row : file_json["rows"]) {
    EXPECT_EQ(row["settings"], json::parse(R"({"label_smoothing": 0.1})"));
    ASSERT_EQ(row["repeats"].size(), 2u);
    for (const json& repeat : row["repeats"]) EXPECT_GT(repeat["cold_start"]["process"], 0.0);
    EXPECT_TRUE(row["summary"]["between"].is_number());
  }
  EXPECT_EQ(file_json["rows"][1]["threads"], 2);
  EXPECT_THAT(read_file(file("b.csv")), HasSubstr("\r\nfc 10,fc 10,fc 10,16,train,"));
  EXPECT_EQ(json::parse(read_file(file("g.json")))["benchmarks"].size(), 2u * (2 + 4));
}

TEST_F(BenchProgramTest, OneProcessMeasuresEveryKindOfWork) {
  const ProgramResult result =
      bench({"--batch", "16", "--repeat", "1", "--work", "train,evaluate,predict", "--markdown"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* work : {"train", "evaluate", "predict"})
    EXPECT_THAT(result.out, HasSubstr(std::string(" | ") + work + " |"));
}

TEST_F(BenchProgramTest, LooksIntoAStep) {
  const ProgramResult result = bench({"--batch", "16", "--threads", "2", "--repeat", "2",
                                      "--breakdown", "--roofline", "--json", file("b.json")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* row : {"\ngather ", "\nfc1         update ", "\nwaiting ", "\nsum / step ",
                          "\ncompute ", "\nmemory "}) {
    EXPECT_THAT(result.out, HasSubstr(row));
  }
  const json row = json::parse(read_file(file("b.json")))["rows"][0];
  EXPECT_EQ(row["breakdown"]["unit"], "seconds");
  EXPECT_GT(row["roofline"]["compute"]["ceiling"], 1e9);
}

// Off a GPU there is nothing to capture, but the steps are taken.
TEST_F(BenchProgramTest, TakesTheStepsToCapture) {
  const ProgramResult result =
      bench({"--batch", "16", "--repeat", "1", "--profile-steps", "30:40"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("nothing is captured"));
}

TEST_F(BenchProgramTest, SaysInALineWhatIsWrong) {
  expect_error(bench({"--batch", "16,x"}), 2, "see digitron bench --help");
  expect_error(bench({"--csv", data()}), 2, data() + ": it is no plain file; give another name");
  expect_error(bench({"--batch", "-1"}), 2, "--batch is -1; give 1 or more");
  expect_error(bench({"--epochs", "3"}), 2,
               "--epochs requires --time-to; see digitron bench --help");
  expect_error(bench({"--repeat", "2", "--batch", "300"}), 2,
               "--batch is 300, but the training set has 200 images; give at most");
  expect_error(bench({"--repeat", "1", "--batch", "16", "--json", file("none/b.json")}), 2,
               file("none"));
  expect_error(bench({"--repeat", "2", "--batch", "16", "--data", file("none")}), 2, file("none"));
}

}  // namespace
}  // namespace digitron
