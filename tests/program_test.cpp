// The program from end to end: what each command prints and writes.
#include <sstream>

#include "host/data/png_image.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
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
using testing::ProgramResult;
using testing::ProgramTest;
using testing::read_file;
using testing::run_program;
using testing::run_shell;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

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
  EXPECT_THAT(result.out, HasSubstr("28x28 in 10 classes (no data set that is known)"));
  EXPECT_THAT(result.out, Not(HasSubstr("\r"))) << "no progress in a file";
  EXPECT_THAT(testing::names_in(out()),
              UnorderedElementsAre("run.json", "metrics.jsonl", "train.log", "model.safetensors",
                                   "resume.safetensors"));

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
    return testing::tensor_bytes(out() + "/model.safetensors");
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
  EXPECT_THAT(lenet.out, HasSubstr("(1 \u00d7 5 \u00d7 5) \u00d7 6 + 6 = 156"));
  std::istringstream lines(lenet.out);
  for (std::string line; std::getline(lines, line);) {
    const auto characters = std::count_if(  // of UTF-8
        line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; });
    EXPECT_LE(characters, 120) << line;
  }
  EXPECT_THAT(run_program({"inspect", "--model", "custom-mlp"}).out, HasSubstr("81,080"));
}

TEST_F(ProgramTest, DevicesHasTheCpu) {
  const ProgramResult result = run_program({"devices"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, StartsWith("cpu"));
  EXPECT_THAT(result.out, HasSubstr("cuda"));
  EXPECT_THAT(result.out, HasSubstr("reference"));
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

TEST_F(ProgramTest, ARecipeGivesWayToOptions) {
  const ProgramResult result =
      train({"--model", "lenet5-best", "--lr", "0.02", "--max-steps", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json run = json::parse(read_file(out() + "/run.json"));
  EXPECT_EQ(run["model"]["name"], "LeNet-5 Best");
  EXPECT_EQ(run["model"]["parameters"], 61706);
  EXPECT_EQ(run["settings"]["lr"], 0.02);
  EXPECT_EQ(run["settings"]["optimizer"], "nesterov");
  EXPECT_EQ(run["settings"]["schedule"], "cosine");
  EXPECT_EQ(run["settings"]["warmup"], nullptr) << "the run is shorter";
  EXPECT_EQ(run["settings"]["rotate"], 10);
  const json epoch = lines_of(out() + "/metrics.jsonl").back();
  EXPECT_NEAR(epoch["lr"].get<double>(), 0.02, 1e-12) << "the first step's";
  EXPECT_GT(epoch["evaluation_seconds"], 0);
  EXPECT_THAT(epoch["time"].get<std::string>(), EndsWith("Z"));
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

}  // namespace
}  // namespace digitron
