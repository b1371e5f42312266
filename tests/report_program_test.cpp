// digitron report from end to end.

#include "host/files/json.h"
#include "tests/program_fixture.h"
#include "tests/report_testing.h"

namespace digitron {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using testing::run_shell;
using ::testing::UnorderedElementsAre;
using testing::write_file;

class ReportProgramTest : public ProgramTest {
 protected:
  ProgramResult report(const std::vector<std::string>& runs,
                       const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"report", "--out", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), runs.begin(), runs.end());
    return run_program(arguments);
  }
  std::string html() const { return read_file(out() + "/report.html"); }
  std::string markdown() const { return read_file(out() + "/report.md"); }

  // A copy of the trained run that may be broken.
  std::string copy() const {
    std::filesystem::copy(trained(), file("copy"));
    return file("copy");
  }
};

TEST_F(ReportProgramTest, WritesThePageAndItsTwin) {
  const ProgramResult result = report({trained()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("Test accuracy"));
  EXPECT_THAT(result.out, HasSubstr("fc 10"));
  EXPECT_THAT(result.out, HasSubstr("Report: " + out() + "/report.html"));
  EXPECT_THAT(testing::names_in(out()), UnorderedElementsAre("report.html", "report.md"));
  for (const std::string& page : {html(), markdown()}) {
    EXPECT_THAT(page, HasSubstr("Not MNIST: there are runs here on "));
    EXPECT_THAT(page, HasSubstr("784 \u00d7 10 + 10 = 7,850"));
    EXPECT_THAT(page, HasSubstr("Confusion matrix"));
    EXPECT_THAT(page, HasSubstr("None: every test image was recognised."));
    EXPECT_THAT(page, HasSubstr("Weights of the first layer"));
    EXPECT_THAT(page, HasSubstr("settings: momentum"));
    EXPECT_THAT(page, HasSubstr("data: sha256"));
    // As a number: the names of folders here are drawn at random.
    EXPECT_THAT(page, Not(ContainsRegex("(^|[^[:alnum:]])inf([^[:alnum:]]|$)")));
  }
  for (const char* outside : {"src=\"http", "href=\"http", "<script src", "<link", "url("}) {
    EXPECT_THAT(html(), Not(HasSubstr(outside)));
  }
  EXPECT_LE(html().size(), 500'000u);
}

TEST_F(ReportProgramTest, SeedsBecomeABand) {
  for (const std::string seed : {"1", "2"}) {
    ASSERT_EQ(train({"--seed", seed, "--epochs", "2", "--out", file(seed)}).exit_code, 0);
  }
  const ProgramResult result = report({file("1"), file("2"), trained()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(html(), HasSubstr("n runs that differ in their seed alone"));
  EXPECT_THAT(html(), HasSubstr("<polygon"));
  EXPECT_THAT(html(), HasSubstr("fc 10 (batch 16, epochs 3, lr 0.1)"));
  EXPECT_THAT(html(), HasSubstr("Test accuracy of each model"));
}

TEST_F(ReportProgramTest, SameRunTwiceCountsOnce) {
  ASSERT_EQ(report({trained(), trained() + "/."}).exit_code, 0);
  EXPECT_THAT(html(), HasSubstr("1 model, 1 run;"));
}

TEST_F(ReportProgramTest, DataFromElsewhere) {
  const std::string run = copy();
  auto description = nlohmann::ordered_json::parse(read_file(run + "/run.json"));
  description["data"]["source"] = "/nowhere";
  write_file(run + "/run.json", description.dump());
  ASSERT_EQ(report({run}).exit_code, 0);
  EXPECT_THAT(html(), HasSubstr("No confusion matrix and no wrong images. The run&#39;s data set "
                                "cannot be read (no data directory /nowhere"));
  EXPECT_THAT(html(), HasSubstr("Weights of the first layer")) << "the rest is there";

  ASSERT_EQ(report({run}, {"--data", data()}).exit_code, 0);
  EXPECT_THAT(html(), HasSubstr("100.00%, 0 wrong"));
  testing::write_idx_directory(file("other"), testing::bars(100), testing::bars(50));
  ASSERT_EQ(report({run}, {"--data", file("other")}).exit_code, 0);
  EXPECT_THAT(html(), HasSubstr("is not the one that the run learned from"));
}

TEST_F(ReportProgramTest, BrokenRunsAreToldInTheirPlace) {
  const std::string run = copy();
  write_file(run + "/metrics.jsonl", read_file(run + "/metrics.jsonl") + "{\"event\":\"ep");
  const Plan other = make_plan(find_model("custom-mlp"), 1);
  write_file(run + "/model.safetensors", safetensors_bytes(other, initial_state(other, 1), {}));
  const ProgramResult result = report({run, trained(), file("nowhere")});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              HasSubstr("Warning: " + run + ": Line 4 of metrics.jsonl is not a whole"));
  EXPECT_THAT(result.out,
              HasSubstr("Warning: " + file("nowhere") + ": There is no such directory."));
  for (const std::string& page : {html(), markdown()}) {
    EXPECT_THAT(page, HasSubstr("Line 4 of metrics.jsonl is not a whole event; skipped."));
    EXPECT_THAT(page, HasSubstr("The checkpoint does not hold this run"));
    EXPECT_THAT(page, HasSubstr("nowhere holds nothing to report: There is no such directory."));
    EXPECT_THAT(page, HasSubstr("0 wrong")) << "of the run that is whole";
  }
}

TEST_F(ReportProgramTest, HostileNamesStayText) {
  const std::string run = copy();
  auto description = nlohmann::ordered_json::parse(read_file(run + "/run.json"));
  description["model"]["name"] = "<script>'`|\"$(x)\n";
  description["settings"]["<b>"] = "</dl>";
  write_file(run + "/run.json", description.dump());
  const std::string strange = file("a\xFF<i>");
  std::filesystem::rename(run, strange);
  const ProgramResult result = report({strange});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, Not(HasSubstr("\xFF<i>")));
  for (const std::string& page : {html(), markdown()}) {
    EXPECT_THAT(page, Not(HasSubstr("<script>'")));
    EXPECT_THAT(page, Not(HasSubstr("<b>")));
    EXPECT_THAT(page, Not(HasSubstr("<i>")));
    EXPECT_THAT(page, HasSubstr("\xEF\xBF\xBD&lt;i&gt;"));
  }
}

TEST_F(ReportProgramTest, RunsThatAreNone) {
  expect_error(run_program({"report"}), 2, "give directories of runs, or --sweep DIR");
  const std::string nowhere = file("nowhere");
  expect_error(report({nowhere}), 2, nowhere + " is not a run: no run.json there; give what");
  std::filesystem::create_directory(nowhere);
  expect_error(report({nowhere, data()}), 2, "none of the directories (" + nowhere);
  EXPECT_FALSE(std::filesystem::exists(out())) << "nothing is written";
}

TEST_F(ReportProgramTest, OutputThatCannotBeWritten) {
  write_file(out(), "a file");
  expect_error(report({trained()}), 2, "cannot create the output directory " + out());
}

TEST_F(ReportProgramTest, MissingGnuplotNamesThePackage) {
  const ProgramResult result = run_shell("PATH=/nowhere; export PATH; exec \"$0\" \"$@\"",
                                         {"report", trained(), "--out", out()});
  expect_error(result, 1, "apt-get install gnuplot-nox");
  EXPECT_FALSE(std::filesystem::exists(out())) << "nothing is written";
}

TEST_F(ReportProgramTest, FullDiskLeavesTheOldReport) {
  write_file(out() + "/report.html", "old");
  const ProgramResult result =
      run_shell("ulimit -f 1; exec \"$0\" \"$@\"", {"report", trained(), "--out", out()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(read_file(out() + "/report.html"), "old");
}

}  // namespace
}  // namespace digitron
