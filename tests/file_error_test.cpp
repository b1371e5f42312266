#include "host/files/file_error.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;

TEST(FileError, AWrongPlaceIsTheUsers) {
  for (const int error : {ENOENT, EACCES, EROFS, ENOTDIR, ELOOP}) {
    EXPECT_THAT(
        error_of<InputError>([&] { throw_file_error("cannot open x", error, "check the path"); }),
        ::testing::MatchesRegex("cannot open x: .+; check the path"));
  }
}

TEST(FileError, DiskMemoryAndOpenFilesAreTheMachinesWithTheirOwnAdvice) {
  const std::pair<int, const char*> cases[] = {
      {ENOSPC, "cannot open x: .+; free some space, then run again"},
      {EMFILE, "cannot open x: .+; raise the limit on open files .+"},
      {ENOMEM, "cannot open x: .+; free some memory, .+"},
      {EIO, "cannot open x: .+; check the machine and its disk, .+"}};
  for (const auto& [error, expected] : cases) {
    EXPECT_THAT(
        error_of<MachineError>([&] { throw_file_error("cannot open x", error, "check the path"); }),
        ::testing::MatchesRegex(expected));
  }
}

}  // namespace
}  // namespace digitron
