// The program from end to end: what each command prints and writes.
#include <fcntl.h>
#include <stdlib.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>

#include "host/data/png_image.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "host/machine/machine.h"
#include "tests/png_files.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::DoubleNear;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;
using testing::Process;
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using testing::run_shell;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::vector<json> lines_of(const std::string& path) {
  std::vector<json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

template <class Condition>
bool wait_for(Condition&& condition) {
  using namespace std::chrono_literals;
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

TEST_F(ProgramTest, HelpAndVersion) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"--version"}, {"train", "--help"}, {"eval", "-h"}}) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out, "");
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(ProgramTest, TrainWritesARun) {
  const ProgramResult result = train({"--batch", "64", "--log-steps", "--seed", "5"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("fc 10 | Epoch [1/1]: Train Loss: "));
  EXPECT_THAT(result.out, HasSubstr("fc 10: 7,850 parameters"));
  EXPECT_THAT(result.out, HasSubstr("not MNIST"));
  EXPECT_THAT(result.out, Not(HasSubstr("\r"))) << "no progress in a file";
  EXPECT_THAT(
      testing::names_in(out()),
      UnorderedElementsAre("run.json", "metrics.jsonl", "model.safetensors", "resume.safetensors"));

  const json run = json::parse(read_file(out() + "/run.json"));
  EXPECT_EQ(run["settings"]["seed"], 5);
  EXPECT_EQ(run["data"]["source"], data());
  EXPECT_EQ(run["command"][1], "train");
  const std::vector<json> events = lines_of(out() + "/metrics.jsonl");
  ASSERT_EQ(events.size(), 5u);  // 200 = 3 * 64 + 8
  EXPECT_EQ(events[3]["step"], 4);
  EXPECT_EQ(events[4]["event"], "epoch");
}

TEST_F(ProgramTest, TheReferenceIsADevice) {
  std::vector<double> losses[2];
  for (const bool reference : {false, true}) {
    const ProgramResult result =
        train({"--device", reference ? "reference" : "cpu", "--log-steps"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const json run = json::parse(read_file(out() + "/run.json"));
    EXPECT_EQ(run["device"]["description"] == "reference, double precision", reference) << run;
    for (const json& event : lines_of(out() + "/metrics.jsonl"))
      if (event["event"] == "step") losses[reference].push_back(event["loss"]);
  }
  ASSERT_FALSE(losses[0].empty());
  EXPECT_THAT(losses[0], Pointwise(DoubleNear(1e-5), losses[1]));
  EXPECT_NE(losses[0], losses[1]) << "not in single precision";
}

TEST_F(ProgramTest, LaterOptionsWin) {
  ASSERT_EQ(train({"--epochs", "2", "--epochs", "3"}).exit_code, 0);
  EXPECT_EQ(lines_of(out() + "/metrics.jsonl").size(), 3u);
}

TEST_F(ProgramTest, InitStartsFromTheFile) {
  ASSERT_EQ(train({"--init", checkpoint(), "--lr", "0"}).exit_code, 0);
  const Plan plan = make_plan(find_model("fc 10"), 1);
  EXPECT_EQ(load_state(out() + "/model.safetensors", plan).parameters,
            load_state(checkpoint(), plan).parameters);
}

TEST_F(ProgramTest, DropoutOverridesTheModels) {
  const std::vector<std::string> model{"--model", "conv 2x5, bn, dropout 0.9, fc 10"};
  const auto with = [&](std::vector<std::string> options) {
    options.insert(options.begin(), model.begin(), model.end());
    return train(options);
  };
  ASSERT_EQ(with({"--dropout", "0.25"}).exit_code, 0);
  const json run = json::parse(read_file(out() + "/run.json"));
  EXPECT_EQ(run["model"]["text"], "conv 2x5, bn, dropout 0.25, fc 10");
  const ProgramResult eval =
      run_program({"eval", "--checkpoint", out() + "/model.safetensors", "--data", data()});
  EXPECT_EQ(eval.exit_code, 0) << eval.err;
  // From its own end, with the steps counted on.
  ASSERT_EQ(with({"--init", out() + "/model.safetensors"}).exit_code, 0);
  const Plan plan = make_plan(find_model(model[1]), 1);
  EXPECT_EQ(load_state(out() + "/model.safetensors", plan).batches_tracked, 8);

  expect_error(with({"--dropout", "1"}), 2, "give a number from 0 to below 1");
  expect_error(train({"--dropout", "0.5"}), 2, "fc 10 has no dropout layer; ");
  expect_error(train({"--model", "conv 10x28, bn", "--batch", "199"}), 2,
               "bn1 cannot be trained on the last batch of an epoch");
}

TEST_F(ProgramTest, SameSeedSameRunOtherSeedAnother) {
  const auto model_of = [&](const std::string& seed) {
    EXPECT_EQ(train({"--seed", seed}).exit_code, 0);
    return read_file(out() + "/model.safetensors");
  };
  const std::string first = model_of("1");
  EXPECT_TRUE(model_of("1") == first);
  EXPECT_TRUE(model_of("2") != first);
}

TEST_F(ProgramTest, EvalPrintsTheConfusionMatrix) {
  const ProgramResult result =
      run_program({"eval", "--checkpoint", checkpoint(), "--data", data()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Test Acc: 100.00%, 0 wrong"));
  EXPECT_THAT(result.out,
              HasSubstr("    1      0      5      0      0      0      0      0      0      "
                        "0      0  100.00%\n"));
}

TEST_F(ProgramTest, EvalNeedsOnlyTheTestSet) {
  for (const char* name : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    testing::write_file(file(name), read_file(data() + "/" + name));
  const auto eval = [&] {
    return run_program(
        {"eval", "--checkpoint", checkpoint(), "--data", directory_.path().string()});
  };
  const ProgramResult result = eval();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("50 test images\nTest Loss"));
  std::filesystem::remove(file("t10k-labels-idx1-ubyte"));
  expect_error(eval(), 2, "t10k-labels-idx1-ubyte is missing");
}

TEST_F(ProgramTest, PredictNamesTheClass) {
  std::vector<std::string> arguments{"predict", "--checkpoint", checkpoint()};
  for (const int label : {7, 2}) {
    arguments.push_back(file(std::to_string(label) + ".png"));
    write_png_grey(arguments.back(), 28, 28, testing::bar_image(label));
  }
  const ProgramResult result = run_program(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line, name;
  std::getline(lines, line);
  EXPECT_THAT(line, HasSubstr("class    P(0)"));
  for (const int label : {7, 2}) {
    int predicted = -1;
    std::getline(lines, line);
    std::istringstream words(line);
    words >> name >> predicted;
    EXPECT_THAT(name, EndsWith(std::to_string(label) + ".png"));
    EXPECT_EQ(predicted, label);
    double sum = 0;
    for (double probability; words >> probability;) sum += probability;
    EXPECT_TRUE(std::abs(sum - 1) <= 0.001) << line;
  }
}

TEST_F(ProgramTest, InspectGivesTheArithmetic) {
  const ProgramResult lenet = run_program({"inspect", "--model", "lenet5"});
  EXPECT_EQ(lenet.exit_code, 0);
  EXPECT_THAT(lenet.out, StartsWith("LeNet-5: 61,706 parameters"));
  EXPECT_THAT(lenet.out, HasSubstr("(1 * 5 * 5) * 6 + 6 = 156"));
  std::istringstream lines(lenet.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
  EXPECT_THAT(run_program({"inspect", "--model", "custom-mlp"}).out, HasSubstr("81,080"));
}

TEST_F(ProgramTest, DevicesHasTheCpu) {
  const ProgramResult result = run_program({"devices"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, StartsWith("cpu"));
  EXPECT_THAT(result.out, HasSubstr("cuda"));
  EXPECT_THAT(result.out, HasSubstr("reference"));
}

TEST_F(ProgramTest, DevicesAsJson) {
  const ProgramResult result = run_program({"devices", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json all = json::parse(result.out);
  EXPECT_EQ(all["schema"], "digitron-devices/1");
  EXPECT_TRUE(all["build"].contains("commit"));
  EXPECT_EQ(all["machine"]["cpu"], cpu_name());
  std::vector<std::string> names;
  for (const json& device : all["devices"]) {
    names.push_back(device["name"]);
    EXPECT_TRUE(device["available"].is_boolean());
    EXPECT_NE(device["description"], "");
    EXPECT_TRUE(device["details"].is_object());
    EXPECT_EQ(device.size(), 4u);
  }
  EXPECT_EQ(names.front(), "cpu");
  EXPECT_EQ(names.back(), "reference");
}

TEST_F(ProgramTest, ReaderThatGoesAway) {
  const ProgramResult result =
      run_shell("\"$0\" \"$@\" | head -n 1", train_arguments({"--epochs", "50"}));
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "fc 10: 7,850 parameters\n");
}

TEST_F(ProgramTest, OutputThatCannotBeWritten) {
  const ProgramResult result = run_shell("\"$0\" \"$@\" > /dev/full", {"inspect"});
  expect_error(result, 1, "cannot write to standard output; ");
}

TEST_F(ProgramTest, ClosedOutputDoesNotEndUpInAFile) {
  const ProgramResult result = run_shell("exec \"$0\" \"$@\" >&-", train_arguments());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lines_of(out() + "/metrics.jsonl").size(), 1u);
}

// Everything a terminal gets: progress that is taken back before a line of the log.
TEST_F(ProgramTest, ARecipeGivesWayToOptions) {
  const ProgramResult result =
      train({"--model", "lenet5-best", "--lr", "0.02", "--max-steps", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json run = json::parse(read_file(out() + "/run.json"));
  EXPECT_EQ(run["model"]["name"], "LeNet-5 Best");
  EXPECT_EQ(run["model"]["parameters"], 61706);
  EXPECT_EQ(run["settings"]["lr"], 0.02);
  EXPECT_EQ(run["settings"]["optimizer"], "nesterov");
  EXPECT_EQ(run["settings"]["schedule"], "one-cycle");
  EXPECT_EQ(run["settings"]["rotate"], 10);
}

TEST_F(ProgramTest, ProgressOnATerminal) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
    GTEST_SKIP() << "no pseudo-terminals here (is /dev/pts mounted?): " << std::strerror(errno);
  }
  Process process(testing::program(train_arguments()), ptsname(terminal));
  std::string shown;
  char buffer[4096];
  for (ssize_t n; (n = read(terminal, buffer, sizeof(buffer))) > 0;)
    shown.append(buffer, static_cast<size_t>(n));
  close(terminal);
  EXPECT_EQ(process.wait().exit_code, 0);
  const size_t progress = shown.find("\rfc 10 | Epoch [1/1]:");
  ASSERT_NE(progress, std::string::npos) << shown;
  EXPECT_THAT(shown.substr(progress), HasSubstr("%, Loss: "));
  EXPECT_THAT(shown, HasSubstr("  \rfc 10 | Epoch [1/1]: Train Loss: ")) << "on an empty line";
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
  EXPECT_TRUE(read_file(out() + "/model.safetensors") ==
              read_file(file("whole") + "/model.safetensors"));
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

TEST_F(ProgramTest, ValidationKeepsTheTestSetForTheEnd) {
  const ProgramResult result = train({"--validation", "40", "--patience", "3", "--epochs", "2"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(" | Validation Loss: "));
  EXPECT_THAT(result.out, Not(HasSubstr("| Test Loss: ")));
  EXPECT_THAT(result.out, HasSubstr("Final test accuracy: "));
  const std::vector<json> events = lines_of(out() + "/metrics.jsonl");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(events[1].contains("validation_accuracy"));
  EXPECT_EQ(events[2]["event"], "final");
  EXPECT_TRUE(events[2].contains("test_accuracy"));
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
