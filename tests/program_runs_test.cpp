// Runs that meet: in one directory, and under a sweep that ends before them.
#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::Process;
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using testing::wait_for;

class RunsTest : public ProgramTest {
 protected:
  // A run that ends when it is told to.
  static std::vector<std::string> endless() {
    return {"--model", "fc 10", "--data", data(), "--epochs", "1000000"};
  }
  static std::vector<std::string> endless_into(const std::string& directory) {
    std::vector<std::string> arguments = endless();
    arguments.insert(arguments.begin(), "train");
    arguments.insert(arguments.end(), {"--out", directory});
    return arguments;
  }
  std::vector<std::string> endless_sweep() const {
    return {"sweep",    "plain",
            "--seeds",  "1,2",
            "--jobs",   "2",
            "--out",    file("sweep"),
            "--common", "--model 'fc 10' --epochs 1000000 --data '" + data() + "'"};
  }
  std::string run_of(int seed) const {
    return file("sweep/plain/seed-" + std::to_string(seed)) + "/metrics.jsonl";
  }

  // The run there has come to an end of its own: only then is its lock's file gone.
  static bool has_ended(const std::filesystem::path& metrics) {
    return !std::filesystem::exists(metrics.parent_path() / ".lock");
  }
};

TEST_F(RunsTest, TheSecondInADirectoryIsRefused) {
  Process first(testing::program(endless_into(out())));
  ASSERT_TRUE(wait_for([&] { return !read_file(out() + "/metrics.jsonl").empty(); }));
  for (const char* option : {"--overwrite", "--seed"}) {
    std::vector<std::string> second = endless_into(out());
    second.emplace_back(option);
    if (second.back() == "--seed") second.emplace_back("2");
    const char* message = option == second.back() ? " is in use by process " : " holds a run; ";
    expect_error(run_program(second), 2, out() + message);
  }
  expect_error(run_program({"train", "--resume", out()}), 2, out() + " is in use by process ");
  first.send(SIGHUP);
  EXPECT_EQ(first.wait().exit_code, 130) << "as after Ctrl-C";
  EXPECT_TRUE(has_ended(out() + "/metrics.jsonl"));
  EXPECT_EQ(json::parse(read_file(out() + "/run.json"))["settings"]["seed"], 1);
}

TEST_F(RunsTest, WithoutOutEachHasADirectoryOfItsOwn) {
  const std::string script = "cd '" + file("") + "'; \"$0\" \"$@\" && \"$0\" \"$@\"";
  const ProgramResult result =
      testing::run_shell(script, {"train", "--model", "fc 10", "--data", data(), "--epochs", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Output: runs/fc-10\n"));
  EXPECT_THAT(result.out, HasSubstr("Output: runs/fc-10-2\n"));
}

TEST_F(RunsTest, ASweepThatIsToldToEndEndsItsRuns) {
  Process sweep(testing::program(endless_sweep()));
  for (const int seed : {1, 2})
    ASSERT_TRUE(wait_for([&] { return !read_file(run_of(seed)).empty(); }));
  sweep.send(SIGTERM);
  EXPECT_EQ(sweep.wait().exit_code, 130);
  for (const int seed : {1, 2}) EXPECT_TRUE(has_ended(run_of(seed)));
}

TEST_F(RunsTest, ASweepThatIsKilledEndsItsRuns) {
  Process sweep(testing::program(endless_sweep()));
  for (const int seed : {1, 2})
    ASSERT_TRUE(wait_for([&] { return !read_file(run_of(seed)).empty(); }));
  sweep.send(SIGKILL);
  for (const int seed : {1, 2}) ASSERT_TRUE(wait_for([&] { return has_ended(run_of(seed)); }));
}

}  // namespace
}  // namespace digitron
