#include "host/data/inflated_cache.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <string>

#include "host/data/gzip.h"
#include "host/data/sha256.h"
#include "tests/environment_variable.h"
#include "tests/idx_files.h"

namespace digitron {
namespace {

namespace fs = std::filesystem;
using testing::EnvironmentVariable;
using ::testing::IsEmpty;
using testing::names_in;
using testing::read_file;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::write_file;

std::string sum_of(const std::string& bytes) {
  return sha256_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// Just large enough to be kept, and nothing that deflate makes much smaller.
std::string large_text(int salt) {
  return testing::idx_images_bytes(testing::small_dataset(1400, salt)) + "end";
}

class InflatedCache : public ::testing::Test {
 protected:
  // What the .gz gives; "nothing" where it is left to zlib.
  std::string contents(size_t skip = 0) {
    const auto inflated = inflate_file(gz_path_, text_.size(), skip);
    if (!inflated) return "nothing";
    sha256_ = inflated->sha256;
    return {inflated->bytes.begin(), inflated->bytes.end()};
  }

  fs::path entry() const { return cache_ / (sum_of(read_file(gz_path_)) + "-" + sum_of(text_)); }

  void write_gz(const std::string& text) {
    text_ = text;
    write_file(gz_path_, testing::gzipped(text));
  }

  void SetUp() override { write_gz(large_text(0)); }

  const TemporaryDirectory directory_;
  const EnvironmentVariable on_{"DIGITRON_CACHE", ""};
  const EnvironmentVariable home_{"XDG_CACHE_HOME", directory_ / "home"};
  const fs::path cache_ = directory_ / "home" / "digitron";
  const fs::path gz_path_ = directory_ / "file.gz";
  std::string text_;
  std::string sha256_;  // as inflate_file gave it last
};

TEST_F(InflatedCache, IsReadTheSecondTime) {
  EXPECT_EQ(contents(), text_);
  EXPECT_EQ(read_file(entry()), text_);
  EXPECT_EQ(sha256_, sum_of(text_));
  // It knows the sum, and has not written the file anew: it was read.
  const fs::file_time_type past = fs::last_write_time(entry()) - std::chrono::hours(1);
  fs::last_write_time(entry(), past);
  for (const size_t skip : {0, 16, 200'000}) {
    EXPECT_EQ(contents(skip), text_.substr(skip));
    EXPECT_EQ(sha256_, sum_of(text_));
  }
  EXPECT_EQ(fs::last_write_time(entry()), past);
  EXPECT_THAT(names_in(cache_), SizeIs(1));
}

TEST_F(InflatedCache, AnotherGzIsAnotherEntry) {
  EXPECT_EQ(contents(), text_);
  const fs::path first = entry();
  const fs::file_time_type date = fs::last_write_time(gz_path_);
  write_gz(large_text(1));
  fs::last_write_time(gz_path_, date);
  EXPECT_EQ(contents(), text_);
  EXPECT_NE(entry(), first);
  EXPECT_THAT(names_in(cache_), SizeIs(2));
}

TEST_F(InflatedCache, ABrokenGzIsNoneTheBetterForIt) {
  EXPECT_EQ(contents(), text_);
  std::string gz = read_file(gz_path_);
  gz[gz.size() / 2] = static_cast<char>(gz[gz.size() / 2] + 1);  // and its end is still right
  write_file(gz_path_, gz);
  EXPECT_EQ(contents(), "nothing");
}

TEST_F(InflatedCache, DamagedEntriesAreWrittenAnew) {
  std::string changed = text_;
  changed[text_.size() - 1] ^= 1;
  const std::string other = large_text(1);
  for (const std::string& damaged : {changed, other, text_.substr(1), text_ + "!", std::string()}) {
    write_file(entry(), damaged);
    EXPECT_EQ(contents(), text_);
    EXPECT_EQ(read_file(entry()), text_);
  }
  fs::remove(entry());
  ASSERT_EQ(mkfifo(entry().c_str(), 0600), 0);  // opening it would wait for ever
  EXPECT_EQ(contents(), text_);
  EXPECT_EQ(read_file(entry()), text_);
  fs::remove(entry());
  write_file(entry() / "file", "in a directory of that name");
  EXPECT_EQ(contents(), text_);
}

TEST_F(InflatedCache, NoPlaceForIt) {
  write_file(directory_ / "home", "a file");
  EXPECT_EQ(contents(), text_);
  const EnvironmentVariable home("XDG_CACHE_HOME", directory_ / "no" / "such");
  EXPECT_EQ(contents(), text_);
  EXPECT_FALSE(fs::exists(directory_ / "no"));
}

TEST_F(InflatedCache, ReadOnly) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  fs::create_directories(cache_);
  fs::permissions(cache_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(contents(), text_);
  fs::permissions(cache_, fs::perms::none);
  EXPECT_EQ(contents(), text_);
  fs::permissions(cache_, fs::perms::owner_all);
  EXPECT_THAT(names_in(cache_), IsEmpty());
}

TEST_F(InflatedCache, SmallFilesAreNotKept) {
  write_gz(large_text(0).substr(0, 1'000'000));
  EXPECT_EQ(contents(), text_);
  EXPECT_EQ(sha256_, "");
  EXPECT_FALSE(fs::exists(cache_));
}

TEST_F(InflatedCache, KeepsTheNewest) {
  for (int i = 0; i < 10; ++i) {
    const fs::path path = cache_ / std::to_string(i);
    write_file(path, "old");
    fs::last_write_time(path, fs::last_write_time(gz_path_) - std::chrono::hours(10 - i));
  }
  EXPECT_EQ(contents(), text_);
  EXPECT_THAT(names_in(cache_), ::testing::UnorderedElementsAre("3", "4", "5", "6", "7", "8", "9",
                                                                entry().filename().string()));
}

TEST_F(InflatedCache, ManyAtOnce) {
  std::vector<std::future<std::string>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(std::async(std::launch::async,
                             [&] { return inflate_file(gz_path_, text_.size())->sha256; }));
  for (auto& one : all) EXPECT_EQ(one.get(), sum_of(text_));
  EXPECT_THAT(names_in(cache_), ::testing::ElementsAre(entry().filename().string()));
  EXPECT_EQ(read_file(entry()), text_);
}

TEST_F(InflatedCache, Directory) {
  EXPECT_EQ(cache_directory(), cache_);
  const EnvironmentVariable home("HOME", "/home/somebody");
  for (const std::string value : {"", "relative"}) {
    const EnvironmentVariable xdg("XDG_CACHE_HOME", value);
    EXPECT_EQ(cache_directory(), "/home/somebody/.cache/digitron");
    const EnvironmentVariable none("HOME", "");
    EXPECT_EQ(cache_directory(), std::nullopt);
  }
  const EnvironmentVariable off("DIGITRON_CACHE", "off");
  EXPECT_EQ(cache_directory(), std::nullopt);
  EXPECT_EQ(contents(), text_);
  EXPECT_FALSE(fs::exists(cache_));
}

}  // namespace
}  // namespace digitron
