// Whatever is wrong with what the program is given, it says so in one line, and leaves files alone.
#include <cstring>

#include "host/core/model.h"
#include "host/core/plan.h"
#include "host/data/png_image.h"
#include "host/files/model_state.h"
#include "tests/png_files.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::read_file;
using testing::run_program;
using testing::run_shell;
using testing::write_file;

constexpr const char* kTrainImages = "/train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "/train-labels-idx1-ubyte";

class BadInputTest : public testing::ProgramTest {
 protected:
  BadInputTest() {
    testing::write_idx_directory(bad_data(), testing::bars(20), testing::bars(10));
    std::filesystem::create_directory(out());
    for (const char* name : {"/run.json", "/metrics.jsonl", "/model.safetensors"}) {
      write_file(out() + name, std::string("old ") + name);
    }
  }

  std::string bad_data() const { return file("bad"); }

  // A train run with these options fails so, and the output directory stays as it was.
  void expect_train_error(const std::vector<std::string>& options, const std::string& message) {
    const auto before = contents(out());
    expect_error(train(options), 2, message);
    EXPECT_TRUE(contents(out()) == before);
  }

  void expect_data_error(const std::string& name, const std::string& bytes,
                         const std::string& message) {
    write_file(bad_data() + name, bytes);
    const auto before = contents(bad_data());
    SCOPED_TRACE(name + ": " + message);
    expect_train_error({"--data", bad_data()}, bad_data() + name);
    expect_train_error({"--data", bad_data()}, message);
    EXPECT_TRUE(contents(bad_data()) == before);
  }

  // As initial parameters and as a checkpoint.
  void expect_checkpoint_error(const std::string& bytes, const std::string& message) {
    const std::string path = file("bad.safetensors");
    write_file(path, bytes);
    expect_train_error({"--init", path}, path + ": ");
    expect_train_error({"--init", path}, message);
    expect_error(run_program({"eval", "--checkpoint", path, "--model", "fc 10", "--data", data()}),
                 2, message);
    EXPECT_TRUE(read_file(path) == bytes);
  }
};

TEST_F(BadInputTest, CommandLine) {
  expect_error(run_program({}), 2, "no command given; see digitron --help");
  expect_error(run_program({"tarin"}), 2, "tarin (did you mean train?); see digitron --help");
  expect_error(run_program({"train", "--eopchs", "3"}), 2,
               "--eopchs (did you mean --epochs?); see digitron train --help");
  expect_error(run_program({"eval"}), 2, "--checkpoint is required; see digitron eval --help");
  expect_error(run_program({"predict", "--checkpoint", checkpoint()}), 2,
               "; see digitron predict --help");
  expect_train_error({"--lr"}, "--lr");
  expect_train_error({"--lr=", "--data", data()}, "--lr= has no value; write it behind the sign");
}

TEST_F(BadInputTest, Settings) {
  expect_train_error({"--batch", "0"}, "--batch is 0; give 1 or more");
  expect_train_error({"--batch", "-4"}, "--batch is -4; give 1 or more");
  expect_train_error({"--batch", "201"},
                     "--batch is 201, but the training set has 200 images; give at most");
  expect_train_error({"--batch", "1.5"}, "--batch");
  expect_train_error({"--lr", "-0.1"}, "--lr is -0.1; give a number of 0 or more");
  expect_train_error({"--lr", "nan"}, "--lr is nan; give a number");
  expect_train_error({"--lr", "inf"}, "--lr is inf; give a number");
  expect_train_error({"--lr", "fast"}, "--lr: 'fast' is not a number, such as 0.5 or 1e-3; see ");
  expect_train_error({"--lr", "0.1x"}, "--lr: '0.1x' is not a number");
  expect_train_error({"--lr", ""}, "--lr: '' is not a number");
  expect_train_error({"--epochs", "0x10"},
                     "--epochs: '0x10' is not a whole number from -2147483648");
  expect_train_error({"--seed", "18446744073709551616"},
                     "--seed: '18446744073709551616' is not a whole number from 0 to "
                     "18446744073709551615; see digitron train --help");
  expect_train_error({"--momentum", "1"}, "--momentum is 1; give");
  expect_train_error({"--optimizer", "sdg"}, "--optimizer is 'sdg'; give sgd, nesterov, adam or");
  expect_train_error({"--schedule", "exp"}, "--schedule is 'exp'; give constant, step, cosine or");
  expect_train_error({"--rotate", "50"}, "--rotate is 50; give a number of degrees from 0 to 45");
  expect_train_error({"--validation", "200"}, "--validation is 200, but the training set has 200");
  expect_train_error({"--patience", "2"}, "--patience needs a validation set");
  expect_train_error({"--force"}, "--force goes with --resume");
  expect_train_error({"--resume", trained()}, "--out does not go with --resume");
  expect_train_error({"--weight-decay", "-1"}, "--weight-decay is -1; give");
  expect_train_error({"--epochs", "0"}, "--epochs is 0; give 1 or more");
  expect_train_error({"--epochs", "99999999999"}, "--epochs");
  expect_train_error({"--max-steps", "0"}, "--max-steps is 0; give 1 or more");
  expect_train_error({"--threads", "-1"}, "--threads is -1; give");
  for (const std::string word : {"", "many", "1.5", "auto,2"}) {
    expect_train_error({"--threads", word},
                       "--threads: '" + word + "' is no number of threads; give auto or 1 to 1024");
  }
  expect_train_error({"--seed", "-1"}, "--seed: '-1' is not a whole number from 0 to 184");
  expect_train_error({"--batch", "0201"}, "--batch is 201, but the training set has 200 images");
}

TEST_F(BadInputTest, ModelsAndDevices) {
  expect_train_error({"--model", "resnet"}, "unknown model 'resnet': use one of lenet5");
  expect_train_error({"--model", "conv 6x5, rleu, fc 10"}, "column 11: expected");
  expect_train_error({"--model", "fc 7, relu"}, "end it with 'fc 10'");
  expect_train_error({"--device", "gpu"},
                     "unknown device 'gpu'; give auto, cpu, cuda, cuda:N or reference");
  for (const char* device :
       {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99999999999", "CPU", ""}) {
    expect_train_error({"--device", device}, std::string("unknown device '") + device + "'; give");
  }
  expect_train_error({"--device", "cuda:1000"}, "device cuda:1000 is not available: ");
}

TEST_F(BadInputTest, LossThatIsNotANumber) {
  const ProgramResult result = train({"--model", "fc 16, fc 10", "--lr", "1e30"});
  expect_error(result, 2, "; this run has saved nothing yet in " + out());
  EXPECT_FALSE(std::filesystem::exists(out() + "/model.safetensors")) << "an older run's";
}

TEST_F(BadInputTest, Data) {
  expect_train_error({"--data", file("nowhere")}, file("nowhere"));
  const Dataset good = testing::bars(20);
  const std::string images = testing::idx_images_bytes(good);
  const std::string labels = testing::idx_labels_bytes(good);

  expect_data_error(kTrainImages, images.substr(0, 5000), "");
  expect_data_error(kTrainImages, images.substr(0, 3), "");
  expect_data_error(kTrainImages, "", "");
  std::string wrong = images;
  wrong[2] = 9;
  expect_data_error(kTrainImages, wrong, "");
  wrong = images;
  std::memset(wrong.data() + 4, 0x7f, 4);  // counts two thousand million images
  expect_data_error(kTrainImages, wrong, "");
  expect_data_error(kTrainImages, testing::idx_images_bytes(testing::bars(19)), "19");
  write_file(bad_data() + kTrainImages, images);

  expect_data_error(kTrainLabels, labels.substr(0, labels.size() - 1), "promises 28 bytes");
  std::filesystem::remove(bad_data() + kTrainLabels);
  const std::string gzipped = testing::gzipped(labels);
  expect_data_error(std::string(kTrainLabels) + ".gz", gzipped.substr(0, gzipped.size() - 6), "");
  wrong = gzipped;
  wrong[wrong.size() / 2] ^= 0x55;
  expect_data_error(std::string(kTrainLabels) + ".gz", wrong, "");
}

TEST_F(BadInputTest, Checkpoints) {
  const std::string good = read_file(checkpoint());
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  expect_train_error({"--init", file("nowhere")}, "no such file; check the path");
  expect_checkpoint_error("", "too short");
  expect_checkpoint_error(good.substr(0, good.size() / 2),
                          "; the file is damaged: copy or save it again");
  expect_checkpoint_error(good.substr(0, 30), "truncated or not in the safetensors format");
  expect_checkpoint_error(replaced("[0,31360]", "[0,31364]"),
                          "fc1.weight at bytes 0 to 31364 does not fit");
  expect_checkpoint_error(replaced("fc1.weight", "fc9.weight"), "tensor fc1.weight is missing");
  expect_checkpoint_error(replaced("[10,784]", "[784,10]"), "fc1.weight has shape (784, 10)");
  expect_train_error({"--model", "lenet5", "--init", checkpoint()},
                     "tensor conv1.weight is missing");

  const Plan plan = make_plan(find_model("fc 10"), 1);
  const std::string nameless = safetensors_bytes(plan, initial_state(plan, 1), {{"a\nb", "c"}});
  write_file(file("nameless"), nameless);
  expect_error(run_program({"eval", "--checkpoint", file("nameless"), "--data", data()}), 2,
               "its metadata does not name the model; name it with --model");
}

TEST_F(BadInputTest, Images) {
  write_file(file("text.png"), "this is no PNG");
  write_png_grey(file("good.png"), 28, 28, testing::bar_image(3));
  const std::vector<std::string> command{"predict", "--checkpoint", checkpoint(), file("good.png")};
  for (const std::string& bad :
       {file("text.png"), file("nowhere.png"), directory_.path().string()}) {
    std::vector<std::string> arguments = command;
    arguments.push_back(bad);
    const ProgramResult result = run_program(arguments);
    expect_error(result, 2, bad);
    EXPECT_EQ(result.out, "") << "all images are checked before the first is classified";
  }
}

// What a terminal obeys: ESC, DEL, CSI in two bytes and in one.
constexpr const char* kHostile = "a\n\x1b[2J\x7f\xC2\x9B\x9B";
constexpr const char* kInert = "a  [2J  \xEF\xBF\xBD";

TEST_F(BadInputTest, NamesDoNotReachTheTerminalAsTheyAre) {
  expect_train_error({"--data", file(kHostile)}, file(kInert));
  expect_error(run_program({kHostile}), 2, kInert);
  testing::write_idx_directory(file(kHostile), testing::bars(200), testing::bars(50));
  EXPECT_THAT(train({"--data", file(kHostile)}).out, HasSubstr("images from " + file(kInert)));

  write_file(file(kHostile) + "/model", read_file(checkpoint()));
  const std::string image = file(kHostile) + "/7.png";
  write_png_grey(image, 28, 28, testing::bar_image(7));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"eval", "--checkpoint", file(kHostile) + "/model", "--data", data()},
           {"predict", "--checkpoint", checkpoint(), image},
           {"predict", "--checkpoint", checkpoint(), image, "--json"}}) {
    const ProgramResult result = run_program(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("[2J"));
    for (const char* control : {"\x1b", "\x7f", "\xC2\x9B"})
      EXPECT_THAT(result.out, Not(HasSubstr(control)));
  }
}

TEST_F(BadInputTest, AMessageQuotesNoWholeFile) {
  write_file(out() + "/resume.safetensors", "");
  nlohmann::json run = nlohmann::json::parse(read_file(trained() + "/run.json"));
  run["model"]["text"] = std::string(10'000'000, 'x');
  write_file(out() + "/run.json", run.dump());
  const ProgramResult result = run_program({"train", "--resume", out()});
  expect_error(result, 2, "xxx");
  EXPECT_LT(result.err.size(), 5000u);
}

TEST_F(BadInputTest, OutputDirectory) {
  write_file(file("file"), "content");
  expect_train_error({"--out", file("file")}, "cannot create the output directory " + file("file"));
  expect_train_error({"--out", file("file") + "/out"},
                     "; give one that can be written, with --out");
  expect_train_error({"--out", "/proc"}, "cannot write /proc/.lock");
  EXPECT_EQ(read_file(file("file")), "content");
}

TEST_F(BadInputTest, FullDisk) {
  const auto before = contents(out());
  const ProgramResult result =
      run_shell("(ulimit -f 0; exec \"$0\" \"$@\") 2>&1 >/dev/null | cat >&2", train_arguments());
  expect_error({1, result.out, result.err}, 1, "cannot write " + out() + "/run.json");
  EXPECT_TRUE(contents(out()) == before);

  // Room for the run's first files, but not for a checkpoint of 31 kB.
  const ProgramResult later = run_shell("ulimit -f 20; exec \"$0\" \"$@\"", train_arguments());
  expect_error(later, 1, "cannot write " + out() + "/model.safetensors");
  EXPECT_EQ(contents(out()).size(), 3u) << "nothing temporary is left";
}

TEST_F(BadInputTest, WhatCannotBeResumed) {
  const auto expect_resume_error = [&](const std::string& directory, const std::string& message) {
    expect_error(run_program({"train", "--resume", directory}), 2, message);
  };
  expect_resume_error(file("nowhere"), "nowhere/run.json cannot be read; give the directory of a");
  const auto before = contents(out());
  expect_resume_error(out(), "run.json is not a whole JSON object");
  EXPECT_TRUE(contents(out()) == before);
  write_file(out() + "/run.json", read_file(trained() + "/run.json"));
  expect_resume_error(out(), "resume.safetensors is not there: the run has not finished an epoch");
  write_file(out() + "/resume.safetensors", "half a file");
  expect_resume_error(out(), "the file is truncated");
  EXPECT_EQ(read_file(out() + "/metrics.jsonl"), "old /metrics.jsonl");
}

}  // namespace
}  // namespace digitron
