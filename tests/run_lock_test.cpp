#include "host/files/run_lock.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;
using ::testing::IsEmpty;
using testing::names_in;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

// What holds of two processes holds of two locks of one.
TEST(RunLockTest, OneAtATimeAndNothingIsLeft) {
  const TemporaryDirectory directory;
  {
    RunLock lock(directory.path());
    EXPECT_FALSE(RunLock::try_take(directory.path()).has_value());
    const RunLock moved = std::move(lock);
    EXPECT_THAT(error_of<InputError>([&] { RunLock(directory.path()); }),
                StartsWith(directory.path().string() + " is in use by process " +
                           std::to_string(getpid()) + " on "));
  }
  EXPECT_THAT(names_in(directory.path()), IsEmpty());
  EXPECT_TRUE(RunLock::try_take(directory.path()).has_value());
}

TEST(RunLockTest, ADeadProcessHoldsNothing) {
  const TemporaryDirectory directory;
  testing::write_file(directory / ".lock", "process 1 on a host long gone\n");
  EXPECT_TRUE(RunLock::try_take(directory.path()).has_value());
}

TEST(RunLockTest, ALinkIsNotFollowed) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "else" / "file", "content");
  std::filesystem::create_symlink(directory / "else" / "file", directory / ".lock");
  EXPECT_THROW(RunLock(directory.path()), InputError);
  EXPECT_EQ(testing::read_file(directory / "else" / "file"), "content");
}

}  // namespace
}  // namespace digitron
