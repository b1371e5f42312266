#include "host/data/download.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "host/core/error.h"
#include "host/data/known_datasets.h"
#include "host/data/sha256.h"
#include "tests/data_testing.h"
#include "tests/idx_files.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using testing::gzipped;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using ::testing::UnorderedElementsAre;
using testing::write_file;

KnownFile known(const std::string& name, const std::string& bytes) {
  return {name, sha256_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})};
}

// Two mirrors in local folders, seen through file:// URLs.
class Download : public ::testing::Test {
 protected:
  void get() { download_files(mirrors_, files_, target_); }

  // The error, after which nothing may be left behind.
  std::string get_error() {
    const std::string message = error_of<MachineError>([&] { get(); });
    EXPECT_THAT(message, HasSubstr("give a directory with --data"));
    EXPECT_FALSE(std::filesystem::exists(directory_ / "new"));
    return message;
  }

  std::string url(const std::string& mirror) { return "file://" + (directory_ / mirror).string(); }

  const TemporaryDirectory directory_;
  const std::filesystem::path target_ = directory_ / "new" / "target";
  const std::vector<std::string> mirrors_{url("one"), url("two")};
  const std::vector<KnownFile> files_{known("a", "aaa"), known("b", std::string(200'000, 'b'))};
  const std::string a_gz_ = gzipped("aaa");
  const std::string b_gz_ = gzipped(std::string(200'000, 'b'));
};

TEST_F(Download, TakesTheFirstMirror) {
  write_file(directory_ / "one" / "a.gz", a_gz_);
  write_file(directory_ / "one" / "b.gz", b_gz_);
  get();
  EXPECT_THAT(names_in(target_), UnorderedElementsAre("a.gz", "b.gz"));
  EXPECT_EQ(read_file(target_ / "a.gz"), a_gz_);
  EXPECT_EQ(read_file(target_ / "b.gz"), b_gz_);
}

TEST_F(Download, TakesTheSecondMirrorAfterAWrongCheckSumOrAMissingFile) {
  write_file(directory_ / "one" / "a.gz", gzipped("aab"));
  write_file(directory_ / "two" / "a.gz", a_gz_);
  write_file(directory_ / "two" / "b.gz", b_gz_);
  get();
  EXPECT_THAT(names_in(target_), UnorderedElementsAre("a.gz", "b.gz"));
  EXPECT_EQ(read_file(target_ / "a.gz"), a_gz_);
}

TEST_F(Download, WrongEverywhereSaysWhyAndLeavesNothing) {
  write_file(directory_ / "one" / "a.gz", a_gz_);
  write_file(directory_ / "one" / "b.gz", gzipped("not b"));
  write_file(directory_ / "two" / "b.gz", b_gz_.substr(0, b_gz_.size() / 2));
  EXPECT_THAT(get_error(), AllOf(HasSubstr(url("one") + "/b.gz: wrong SHA-256"),
                                 HasSubstr(url("two") + "/b.gz: the .gz ends early")));
}

TEST_F(Download, NotAGz) {
  write_file(directory_ / "one" / "a.gz", "<html>please log in</html>");
  write_file(directory_ / "two" / "a.gz", "");
  EXPECT_THAT(get_error(), HasSubstr(url("one") + "/a.gz: not a whole .gz"));
}

TEST_F(Download, BytesAfterTheEndAreRefused) {
  write_file(directory_ / "one" / "a.gz", a_gz_ + "more");
  write_file(directory_ / "two" / "a.gz", a_gz_ + a_gz_);
  EXPECT_THAT(get_error(), AllOf(HasSubstr(url("one") + "/a.gz: goes on after the end of its .gz"),
                                 HasSubstr(url("two") + "/a.gz: goes on after")));
}

TEST_F(Download, NoMirrorAnswers) {
  EXPECT_THAT(get_error(), AllOf(HasSubstr("cannot download a.gz"), HasSubstr(url("one")),
                                 HasSubstr(url("two"))));
  EXPECT_THAT(error_of<MachineError>([&] { download_files({}, files_, target_); }),
              HasSubstr("no mirrors"));
}

TEST_F(Download, TargetThatCannotBeMadeIsTheUsers) {
  write_file(directory_ / "one" / "a.gz", a_gz_);
  write_file(directory_ / "one" / "b.gz", b_gz_);
  write_file(directory_ / "new", "a file in the way");
  EXPECT_THAT(error_of<InputError>([&] { get(); }), HasSubstr((directory_ / "new").string()));
  EXPECT_EQ(read_file(directory_ / "new"), "a file in the way");
}

TEST_F(Download, FailureWhileStoringRemovesWhatIsNewAndKeepsWhatWasThere) {
  write_file(directory_ / "one" / "a.gz", a_gz_);
  write_file(directory_ / "one" / "b.gz", b_gz_);
  std::filesystem::create_directories(target_ / "b.gz");  // b.gz cannot be written here
  EXPECT_THAT(error_of<InputError>([&] { get(); }), HasSubstr((target_ / "b.gz").string()));
  EXPECT_THAT(names_in(target_), ElementsAre("b.gz"));
  EXPECT_THAT(names_in(target_ / "b.gz"), IsEmpty());
}

TEST(KnownDatasets, HaveMirrorsSumsAndClasses) {
  for (const KnownDataset& known : known_datasets()) {
    EXPECT_FALSE(known.mirrors.empty()) << known.name;
    for (const KnownFile& file : known.files) EXPECT_EQ(file.sha256.size(), 64u) << known.name;
    EXPECT_EQ(known.classes.size(), 10u) << known.name;
    EXPECT_EQ(find_dataset(known.word), &known);
  }
  const KnownDataset& mnist = known_datasets().front();
  EXPECT_EQ(mnist.name, "MNIST");
  EXPECT_GE(mnist.mirrors.size(), 2u);
  for (const std::string& mirror : mnist.mirrors) EXPECT_TRUE(mirror.starts_with("https://"));
  EXPECT_EQ(find_dataset("MNIST"), nullptr);
}

}  // namespace
}  // namespace digitron
