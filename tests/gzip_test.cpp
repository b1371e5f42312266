#include "host/data/gzip.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "tests/idx_files.h"

namespace digitron {
namespace {

using testing::gzipped;
using testing::TemporaryDirectory;
using testing::write_file;

class Gzip : public ::testing::Test {
 protected:
  // What comes out of a file with these bytes; nothing where inflate_file leaves it to zlib.
  std::optional<std::string> inflated(const std::string& gz, size_t bytes) {
    write_file(path_, gz);
    const auto contents = inflate_file(path_, bytes);
    if (!contents) return std::nullopt;
    return std::string(contents->bytes.begin(), contents->bytes.end());
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "file.gz";
  const std::string text_ = testing::idx_images_bytes(testing::small_dataset(3));
  const std::string gz_ = gzipped(text_);
};

TEST_F(Gzip, GivesTheContents) {
  EXPECT_EQ(inflated(gz_, text_.size()), text_);
}

TEST_F(Gzip, LeavesOthersToZlib) {
  EXPECT_EQ(inflated(gz_, text_.size() - 1), std::nullopt);
  EXPECT_EQ(inflated(gz_, text_.size() + 1), std::nullopt);
  EXPECT_EQ(inflated(gz_, text_.size() + (uint64_t{1} << 32)), std::nullopt);
  EXPECT_EQ(inflated(gz_ + gz_, text_.size()), std::nullopt);
  EXPECT_EQ(inflated(gz_ + "after the end", text_.size()), std::nullopt);
  EXPECT_EQ(inflated(text_, text_.size()), std::nullopt);
  EXPECT_EQ(inflated(gzipped(std::string(100'000, '0')), 100'000), std::nullopt);
  for (const size_t bytes : {0, 1, 3, 4, 17, 1000})
    EXPECT_EQ(inflated(gz_.substr(0, bytes), text_.size()), std::nullopt) << bytes;
}

TEST_F(Gzip, NoPlainFile) {
  EXPECT_FALSE(inflate_file(path_, 1));
  EXPECT_FALSE(inflate_file(directory_.path(), 1));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // opening it would wait for ever
  EXPECT_FALSE(inflate_file(path_, 1));
}

// Whatever a byte becomes, what comes out is right, or nothing.
TEST_F(Gzip, AnyCorruptByte) {
  for (size_t i = 0; i < gz_.size(); ++i) {
    std::string gz = gz_;
    gz[i] = static_cast<char>(gz[i] + 85);
    const auto contents = inflated(gz, text_.size());
    EXPECT_TRUE(!contents || *contents == text_) << i;
  }
}

}  // namespace
}  // namespace digitron
