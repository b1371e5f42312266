// A directory with data that a linear model learns at once, and a checkpoint trained on it.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "host/files/json.h"
#include "tests/idx_files.h"
#include "tests/mnist_form.h"
#include "tests/run_program.h"

namespace digitron::testing {

// A bright bar whose height says the class.
inline std::vector<uint8_t> bar_image(int label) {
  std::vector<uint8_t> pixels(kImagePixels, 0);
  const auto begin = pixels.begin() + (3 + 2 * label) * kImageSide;
  std::fill(begin + 4, begin + kImageSide - 4, uint8_t{255});
  return pixels;
}

inline Dataset bars(int count) {
  Dataset data;
  for (int i = 0; i < count; ++i) {
    const std::vector<uint8_t> image = bar_image(i % 10);
    data.images.insert(data.images.end(), image.begin(), image.end());
    data.labels.push_back(static_cast<uint8_t>(i % 10));
  }
  return data;
}

class ProgramTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new TemporaryDirectory;
    write_idx_directory(data(), bars(200), bars(50));
    const ProgramResult result =
        run_program({"train", "--model", "fc 10", "--data", data(), "--epochs", "3", "--batch",
                     "16", "--lr", "0.1", "--out", trained()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  static void TearDownTestSuite() {
    delete shared_;
    shared_ = nullptr;
  }

  static std::string data() { return *shared_ / "data"; }
  static std::string trained() { return *shared_ / "trained"; }
  static std::string checkpoint() { return trained() + "/model.safetensors"; }

  // A short run into out().
  std::vector<std::string> train_arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train",    "--model", "fc 10", "--data", data(),
                                       "--epochs", "1",       "--out", out(),    "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult train(const std::vector<std::string>& more = {}) const {
    return run_program(train_arguments(more));
  }

  std::string out() const { return directory_ / "out"; }
  std::string file(const std::string& name) const { return directory_ / name; }

  static std::map<std::string, std::string> contents(const std::filesystem::path& directory) {
    std::map<std::string, std::string> files;
    for (const std::string& name : names_in(directory)) files[name] = read_file(directory / name);
    return files;
  }

  static std::vector<nlohmann::json> lines_of(const std::string& path) {
    std::vector<nlohmann::json> lines;
    std::istringstream text(read_file(path));
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  // One line that says what and where, and what to do.
  static void expect_error(const ProgramResult& result, int exit_code, const std::string& message) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.err, ::testing::StartsWith("digitron: "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_THAT(result.err, ::testing::EndsWith("\n"));
    EXPECT_THAT(result.err, ::testing::HasSubstr(message));
  }

  TemporaryDirectory directory_;
  inline static TemporaryDirectory* shared_ = nullptr;
};

}  // namespace digitron::testing
