#include "host/files/read_text.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;
using testing::TemporaryDirectory;
using testing::write_file;

TEST(ReadText, ReadsAllBytes) {
  const TemporaryDirectory directory;
  const std::string bytes = std::string(100'000, 'x') + std::string("\0\n", 2);
  write_file(directory / "file", bytes);
  EXPECT_EQ(read_text(directory / "file", ""), bytes);
}

TEST(ReadText, AMissingFileIsTheUsersAndADiskThatFailsTheMachines) {
  const TemporaryDirectory directory;
  const auto path = directory / "file";
  EXPECT_EQ(error_of<InputError>([&] { read_text(path, "look for it"); }),
            "cannot open " + path.string() + ": No such file or directory; look for it");
  // What lies at address 0 of a process is not mapped: the kernel answers EIO.
  EXPECT_THAT(error_of<MachineError>([] { read_text("/proc/self/mem", ""); }),
              ::testing::StartsWith("cannot read /proc/self/mem: Input/output error; "));
}

}  // namespace
}  // namespace digitron
