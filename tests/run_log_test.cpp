#include "host/train/run_log.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/file_size_limit.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::read_file;

class RunLogTest : public ::testing::Test {
 protected:
  RunLogTest() : old_logger_(spdlog::default_logger()) {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(terminal_);
    sink->set_pattern("%v");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  ~RunLogTest() override { spdlog::set_default_logger(old_logger_); }

  const testing::TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "train.log";
  std::ostringstream terminal_;
  std::shared_ptr<spdlog::logger> old_logger_;
};

TEST_F(RunLogTest, HoldsWhatTheTerminalShowsWhileItLives) {
  {
    const RunLog log(path_, false);
    spdlog::info("one");
    EXPECT_EQ(read_file(path_), "one\n") << "at once";
    spdlog::warn("two");
  }
  spdlog::info("after");
  EXPECT_EQ(read_file(path_), "one\ntwo\n");
  EXPECT_EQ(terminal_.str(), "one\ntwo\nafter\n");
}

TEST_F(RunLogTest, WhatItQuotesIsInert) {
  const RunLog log(path_, false);
  spdlog::info("from a\nb\x1b[2J\xC2\x9B\x9B");
  EXPECT_EQ(read_file(path_), "from a b [2J \xEF\xBF\xBD\n");
}

TEST_F(RunLogTest, ReplacesOrGoesOn) {
  testing::write_file(path_, "old\n");
  {
    const RunLog log(path_, true);
    spdlog::info("more");
  }
  EXPECT_EQ(read_file(path_), "old\nmore\n");
  const RunLog log(path_, false);
  EXPECT_EQ(read_file(path_), "");
}

TEST_F(RunLogTest, CannotBeOpened) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(error_of<InputError>([&] { RunLog(path_, true); }),
              AllOf(HasSubstr("cannot write " + path_.string() + ": "),
                    HasSubstr("; make it writable, or move it away")));
  spdlog::info("still here");
  EXPECT_EQ(terminal_.str(), "still here\n");
}

TEST_F(RunLogTest, AFullDiskIsNotItsBusiness) {
  const RunLog log(path_, false);
  const testing::FileSizeLimit limit(8);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) spdlog::info("a line that finds no room");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_LE(read_file(path_).size(), 8u);
  EXPECT_THAT(terminal_.str(), HasSubstr("a line that finds no room\n"));
}

}  // namespace
}  // namespace digitron
