// Tests on the library that fake_nvml/nvml.cpp makes.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/moved.h"

namespace digitron::testing {

inline constexpr const char* kFakeGpu = "GPU-00000000-1111-2222-3333-444444444444";

class FakeNvmlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(library())) GTEST_SKIP() << "it has moved without " << library();
  }
  void TearDown() override {
    for (const char* variable : set_) unsetenv(variable);
  }

  // The fake's environment.
  void set(const char* variable, const char* value) {
    setenv(variable, value, 1);
    set_.push_back(variable);
  }

  static std::string library() { return moved("DIGITRON_FAKE_NVML", DIGITRON_FAKE_NVML); }
  static std::string old_library() {
    return std::filesystem::path(library()).parent_path() / "libold-nvml.so";
  }

 private:
  std::vector<const char*> set_;
};

}  // namespace digitron::testing
