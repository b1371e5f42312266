// The program on a terminal, and ended by its user.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <optional>

#include "host/files/json.h"
#include "host/files/model_state.h"
#include "host/text/table.h"
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

// Everything that a terminal of so many columns gets of a program; nothing where there is none.
std::optional<std::string> shown_by(const std::vector<std::string>& arguments, int columns) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return std::nullopt;
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  ioctl(terminal, TIOCSWINSZ, &size);
  Process process(testing::program(arguments), ptsname(terminal));
  std::string shown;
  char buffer[4096];
  for (ssize_t n; (n = read(terminal, buffer, sizeof(buffer))) > 0;)
    shown.append(buffer, static_cast<size_t>(n));
  close(terminal);
  EXPECT_EQ(process.wait().exit_code, 0);
  return shown;
}

constexpr const char* kNoTerminal = "no pseudo-terminals here (is /dev/pts mounted?)";

// Progress is taken back before a line of the log.
TEST_F(ProgramTest, ProgressOnATerminal) {
  const std::optional<std::string> shown = shown_by(train_arguments(), 200);
  if (!shown) GTEST_SKIP() << kNoTerminal;
  const size_t progress = shown->find("\rfc 10 | Epoch [1/1]:");
  ASSERT_NE(progress, std::string::npos) << *shown;
  EXPECT_THAT(shown->substr(progress), ::testing::ContainsRegex("[0-9]+%, [0-9]+ s left, Loss: "));
  EXPECT_THAT(*shown, HasSubstr(" images/s"));
  EXPECT_THAT(*shown, HasSubstr("  \rfc 10 | Epoch [1/1]: Train Loss: ")) << "on an empty line";
}

TEST_F(ProgramTest, ProgressFitsANarrowTerminal) {
  const std::optional<std::string> shown = shown_by(train_arguments(), 40);
  if (!shown) GTEST_SKIP() << kNoTerminal;
  const size_t progress = shown->find("\rfc 10 | Epoch [1/1]:") + 1;
  const std::string line = shown->substr(progress, shown->find('\r', progress) - progress);
  EXPECT_EQ(text_width(line), 39u) << line;
  EXPECT_THAT(line, ::testing::EndsWith("\u2026"));
}

TEST_F(ProgramTest, ASweepOnATerminalTellsOfTheWhole) {
  const std::optional<std::string> shown =
      shown_by({"sweep", "plain", "--seeds", "1-2", "--jobs", "1", "--out", file("sweep"),
                "--common", "--model 'fc 10' --epochs 2 --data '" + data() + "'"},
               80);
  if (!shown) GTEST_SKIP() << kNoTerminal;
  EXPECT_THAT(*shown, HasSubstr("\r0 of 2 runs have ended, 1 is going on"));
  EXPECT_THAT(*shown, ::testing::ContainsRegex("\r1 of 2 runs have ended, 1 is going on, about "
                                               "[0-9]+ s left"));
  EXPECT_THAT(*shown, HasSubstr("\r[2/2] plain, seed 2: "));
}

TEST_F(ProgramTest, CtrlCEndsARunCleanly) {
  // Slow enough that the signal comes within the first epoch.
  std::vector<std::string> arguments = train_arguments({"--batch", "1", "--log-steps", "--model"});
  const std::string model = "conv 32x7 pad 3, relu, conv 32x7 pad 3, relu, maxpool 4, fc 10";
  arguments.push_back(model);
  testing::write_idx_directory(file("more"), testing::bars(1000), testing::bars(10));
  arguments.insert(arguments.end(), {"--data", file("more")});
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove_all(out());
    Process process(testing::program(arguments));
    ASSERT_TRUE(wait_for([&] { return !read_file(out() + "/metrics.jsonl").empty(); }));
    process.send(signal);
    const ProgramResult result = process.wait();
    EXPECT_EQ(result.exit_code, 130);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("Interrupted in epoch 1 of 1"));

    const json last = lines_of(out() + "/metrics.jsonl").back();
    EXPECT_EQ(last["event"], "epoch");
    EXPECT_EQ(last["interrupted"], true);
    EXPECT_TRUE(last["train_loss"].get<double>() > 0);
    EXPECT_NO_THROW(load_state(out() + "/model.safetensors", make_plan(find_model(model), 1)));
  }
}

// Ctrl-C within an epoch, then --resume: the files of a run that was never stopped.
TEST_F(ProgramTest, ResumeAfterCtrlC) {
  testing::write_idx_directory(file("more"), testing::bars(60), testing::bars(10));
  const std::string model = "conv 16x7 pad 3, relu, conv 16x7 pad 3, relu, maxpool 4, fc 10";
  const auto run_of = [&](const std::string& where) {
    return std::vector<std::string>{
        "train",   "--model", model,         "--data",      file("more"), "--epochs", "2",
        "--batch", "2",       "--out",       where,         "--augment",  "--ema",    "0.9",
        "--lr",    "1e-4",    "--log-steps", "--optimizer", "adam"};
  };
  ASSERT_EQ(run_program(run_of(file("whole"))).exit_code, 0);
  Process process(testing::program(run_of(out())));
  ASSERT_TRUE(wait_for([&] { return !read_file(out() + "/metrics.jsonl").empty(); }));
  process.send(SIGINT);
  ASSERT_EQ(process.wait().exit_code, 130);
  EXPECT_EQ(lines_of(out() + "/metrics.jsonl").back()["interrupted"], true);

  expect_error(run_program({"train", "--resume", out(), "--ema", "0.8"}), 2,
               "--ema is 0.8, but the run that --resume continues has 0.9");
  expect_error(run_program({"train", "--resume", out(), "--init", checkpoint()}), 2,
               "--init does not go with --resume");
  const ProgramResult resumed = run_program({"train", "--resume", out(), "--threads", "1"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("Resumed in epoch 1 of 2, after its step "));
  EXPECT_TRUE(testing::tensor_bytes(out() + "/model.safetensors") ==
              testing::tensor_bytes(file("whole") + "/model.safetensors"));
  const std::vector<json> events = lines_of(out() + "/metrics.jsonl");
  const std::vector<json> expected = lines_of(file("whole") + "/metrics.jsonl");
  ASSERT_EQ(events.size(), expected.size());
  for (size_t i = 0; i < events.size(); ++i) {
    for (const char* key : {"event", "epoch", "step", "loss", "train_loss", "train_accuracy",
                            "test_loss", "test_accuracy"}) {
      EXPECT_EQ(events[i].value(key, json()), expected[i].value(key, json())) << i << key;
    }
  }
  EXPECT_EQ(json::parse(read_file(out() + "/run.json"))["resumed"].size(), 1u);
}

TEST_F(ProgramTest, SecondCtrlCEndsAtOnce) {
  Process process(testing::program(train_arguments({"--epochs", "1000000"})));
  ASSERT_TRUE(wait_for([&] { return !read_file(out() + "/metrics.jsonl").empty(); }));
  process.send(SIGSTOP);  // both signals are there before the program can react to the first
  process.send(SIGINT);
  process.send(SIGTERM);
  process.send(SIGCONT);
  const int exit_code = process.wait().exit_code;
  EXPECT_TRUE(exit_code == 128 + SIGTERM || exit_code == 128 + SIGINT) << exit_code;
  EXPECT_NO_THROW(load_state(out() + "/model.safetensors", make_plan(find_model("fc 10"), 1)));
}

}  // namespace
}  // namespace digitron
