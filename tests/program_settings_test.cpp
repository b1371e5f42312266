// Where the program's settings come from beside the command line, and what it makes of a typo.
#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::read_file;
using testing::run_program;
using testing::write_file;

class ProgramSettingsTest : public testing::ProgramTest {
 protected:
  // Of a new run with these options alone; the first epoch is one step of it.
  json run_with(std::vector<std::string> options) {
    options.insert(options.begin(), "train");
    options.insert(options.end(), {"--max-steps", "1", "--out", out(), "--overwrite"});
    const ProgramResult result = run_program(options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    said_ = result.out;
    return json::parse(read_file(out() + "/run.json"));
  }

  // The options and their message.
  void expect_refused(std::vector<std::string> options, const std::string& message) {
    options.insert(options.begin(), "train");
    options.insert(options.end(), {"--out", file("refused")});
    expect_error(run_program(options), 2, message);
    EXPECT_FALSE(std::filesystem::exists(file("refused")));
  }

  std::string config(const std::string& text) {
    write_file(file("config.toml"), text);
    return file("config.toml");
  }

  std::string said_;
};

TEST_F(ProgramSettingsTest, LikeAnotherRun) {
  for (const std::string& like : {trained(), trained() + "/run.json"}) {
    const json run = run_with({"--like", like, "--lr", "0.2"});
    const json other = json::parse(read_file(trained() + "/run.json"));
    EXPECT_EQ(run["model"], other["model"]);
    EXPECT_EQ(run["data"], other["data"]);
    json settings = other["settings"];
    settings["lr"] = 0.2;
    settings["max_steps"] = 1;
    EXPECT_EQ(run["settings"], settings);
    EXPECT_NE(run["id"], other["id"]);
  }
  const json run = run_with({"--like", trained(), "--model", "fc 20, fc 10", "--seed", "7"});
  EXPECT_EQ(run["model"]["text"], "fc 20, fc 10");
  EXPECT_EQ(run["settings"]["batch"], 16);
  EXPECT_EQ(run["settings"]["seed"], 7);
}

TEST_F(ProgramSettingsTest, LikeARunThatIsNone) {
  expect_refused({"--like", file("nowhere")}, "--like: " + file("nowhere") + "/run.json cannot be");
  write_file(file("broken/run.json"), "{");
  expect_refused({"--like", file("broken")}, "run.json is not a whole JSON object; restore it");
  expect_error(run_program({"train", "--resume", trained(), "--like", trained()}), 2,
               "--like does not go with --resume");
  json run = json::parse(read_file(trained() + "/run.json"));
  run["settings"]["init"] = "old.safetensors";
  run["model"]["id"] = nullptr;
  write_file(file("began/run.json"), run.dump());
  run_with({"--like", file("began")});
  EXPECT_THAT(said_, HasSubstr("began with --init old.safetensors, and this one does not"));
  run["settings"]["lr"] = -1;
  write_file(file("began/run.json"), run.dump());
  expect_refused({"--like", file("began")}, "--lr is -1; give a number of 0 or more");
}

TEST_F(ProgramSettingsTest, AConfigFileGivesWayToTheCommandLine) {
  const std::string path = config(
      "# of a test\n"
      "model = \"conv 2x5, relu, fc 10\"\n"
      "data = '" +
      data() +
      "'\n"
      "lr = 0.05  # large\n"
      "batch = 32\n"
      "weight_decay = 1e-3\n"
      "optimizer = \"nesterov\"\n"
      "augment = true\n"
      "no-shuffle = false\n"
      "log-steps = true\n");
  const json run = run_with({"--batch", "8", "--config", path, "--shift", "1"});
  EXPECT_EQ(run["model"]["text"], "conv 2x5, relu, fc 10");
  EXPECT_EQ(run["data"]["source"], data());
  const json& settings = run["settings"];
  EXPECT_EQ(settings["lr"], 0.05);
  EXPECT_EQ(settings["batch"], 8);
  EXPECT_EQ(settings["weight_decay"], 1e-3);
  EXPECT_EQ(settings["optimizer"], "nesterov");
  EXPECT_EQ(settings["rotate"], 10);
  EXPECT_EQ(settings["shift"], 1);
  EXPECT_EQ(settings["shuffle"], true);
  EXPECT_EQ(settings["log_steps"], true);

  const json like = run_with({"--like", trained(), "--config", config("lr = 0.5\nepochs = 7\n")});
  EXPECT_EQ(like["settings"]["lr"], 0.5);
  EXPECT_EQ(like["settings"]["epochs"], 7);
  EXPECT_EQ(like["settings"]["batch"], 16);
}

TEST_F(ProgramSettingsTest, ConfigFilesThatMakeNoSense) {
  const auto expect_bad = [&](const std::string& text, const std::string& message) {
    SCOPED_TRACE(text);
    expect_refused({"--config", config(text)}, file("config.toml") + ": " + message);
  };
  expect_bad("epohcs = 3", "'epohcs' is no option of digitron train (did you mean --epochs?); see");
  expect_bad("[train]\nlr = 0.1\n", "[train] begins a section; write its lines without one");
  expect_bad("config = \"more.toml\"", "'config' is no option of digitron train");
  expect_bad("help = true", "'help' is no option of digitron train");
  expect_bad("lr = fast", "--lr: 'fast' is not a number, such as 0.5 or 1e-3");
  expect_bad("lr = [0.1, 0.2]", "lr has several values; give one");
  expect_bad("augment = perhaps", "");
  expect_bad("just words", "'just words' is no option of digitron train");
  // Some of CLI11's readers end a line at a #, also within quotes.
  expect_refused({"--config", config("init = \"runs/#1\"")}, "");
  expect_refused({"--config", file("nowhere.toml")}, "nowhere.toml is not a file; give --config a");
  expect_refused({"--config", directory_.path().string()}, " is not a file; give --config a TOML");
}

TEST_F(ProgramSettingsTest, TyposAreUnderstood) {
  expect_error(run_program({"tarin", "--epochs", "3"}), 2, " (did you mean train?); see digitron ");
  expect_error(run_program({"train", "--eopchs=3"}), 2,
               " (did you mean --epochs?); see digitron t");
  expect_error(run_program({"eval", "--checkpont", checkpoint()}), 2, "did you mean --checkpoint?");
  const ProgramResult result = run_program({"frobnicate"});
  expect_error(result, 2, "frobnicate; see digitron --help");
}

}  // namespace
}  // namespace digitron
