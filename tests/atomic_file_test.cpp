#include "host/files/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include <filesystem>
#include <string>

#include "host/core/error.h"
#include "host/core/file_descriptor.h"
#include "tests/data_testing.h"
#include "tests/file_size_limit.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::FileSizeLimit;
using ::testing::HasSubstr;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using ::testing::UnorderedElementsAre;
using testing::write_file;

TEST(AtomicFile, WritesNewAndReplacesOld) {
  const TemporaryDirectory directory;
  const auto path = directory / "file";
  write_file_atomically(path, "first");
  EXPECT_EQ(read_file(path), "first");
  write_file_atomically(path, std::string("a\0b", 3));
  EXPECT_EQ(read_file(path), std::string("a\0b", 3));
  write_file_atomically(path, "");
  EXPECT_EQ(read_file(path), "");
  EXPECT_THAT(names_in(directory.path()), ElementsAre("file"));
}

TEST(AtomicFile, FullDiskIsTheMachinesAndKeepsTheOldFile) {
  const TemporaryDirectory directory;
  const auto path = directory / "file";
  write_file(path, "old");
  const std::string message = error_of<MachineError>([&] {
    const FileSizeLimit limit(4096);
    write_file_atomically(path, std::string(100'000, 'x'));
  });
  EXPECT_THAT(message, HasSubstr(path.string()));
  EXPECT_THAT(message, HasSubstr("disk full"));
  EXPECT_THAT(message, HasSubstr("free some space"));
  EXPECT_EQ(read_file(path), "old");
  EXPECT_THAT(names_in(directory.path()), ElementsAre("file"));
}

// A writer that lives holds a lock on its temporary file.
TEST(AtomicFile, WhatAKilledWriterLeftGoesAndALivingOnesStays) {
  const TemporaryDirectory directory;
  for (const char* name : {"file.1.0.tmp", "file.2.0.tmp", "other.1.0.tmp", "file.tmp"}) {
    write_file(directory / name, "half");
  }
  const FileDescriptor living(::open((directory / "file.2.0.tmp").c_str(), O_RDONLY));
  ASSERT_EQ(::flock(living.get(), LOCK_EX), 0);
  write_file_atomically(directory / "file", "whole");
  EXPECT_THAT(names_in(directory.path()),
              UnorderedElementsAre("file", "file.2.0.tmp", "file.tmp", "other.1.0.tmp"));
}

TEST(AtomicFile, MissingDirectoryIsTheUsers) {
  const TemporaryDirectory directory;
  const auto path = directory / "missing" / "file";
  const std::string message = error_of<InputError>([&] { write_file_atomically(path, "x"); });
  EXPECT_THAT(message, HasSubstr(path.string()));
  EXPECT_THAT(message, HasSubstr("No such file or directory"));
  EXPECT_THAT(message, HasSubstr("choose a directory"));
}

TEST(AtomicFile, DirectoryInTheWayIsTheUsersAndLeavesNoTemporary) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory / "file");
  const std::string message =
      error_of<InputError>([&] { write_file_atomically(directory / "file", "x"); });
  EXPECT_THAT(message, HasSubstr((directory / "file").string()));
  EXPECT_THAT(names_in(directory.path()), ElementsAre("file"));
  EXPECT_TRUE(std::filesystem::is_directory(directory / "file"));
}

TEST(AtomicFile, ForbiddenDirectoryIsTheUsers) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  const TemporaryDirectory directory;
  std::filesystem::permissions(
      directory.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const std::string message =
      error_of<InputError>([&] { write_file_atomically(directory / "file", "x"); });
  std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_all);
  EXPECT_THAT(message, HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace digitron
