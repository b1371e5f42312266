#include "host/data/png_dataset.h"

#include <gmock/gmock.h>

#include <string>

#include "host/core/error.h"
#include "host/data/png_image.h"
#include "tests/data_testing.h"
#include "tests/idx_files.h"
#include "tests/mnist_form.h"
#include "tests/png_files.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::write_file;

class PngDataset : public ::testing::Test {
 protected:
  void put(const std::string& name, uint8_t level, int side = kImageSide) {
    write_png_grey(directory_ / name, side, side,
                   std::vector<uint8_t>(static_cast<size_t>(side) * side, level));
  }

  std::string read_error() {
    return error_of<InputError>([&] { read_png_dataset(directory_.path()); });
  }

  const TemporaryDirectory directory_;
};

TEST_F(PngDataset, ReadsInTheOrderOfNumber) {
  put("10_3.png", 30);
  put("9_0.png", 20);
  put("0002_9.png", 10);
  write_file(directory_ / "README", "not an image");
  write_file(directory_ / "._2_9.png", "what another system leaves beside a file");
  const Dataset data = read_png_dataset(directory_.path()).data;
  EXPECT_THAT(data.labels, ElementsAre(9, 0, 3));
  ASSERT_EQ(data.images.size(), size_t{3 * kImagePixels});
  EXPECT_EQ(data.images[0], 10);
  EXPECT_EQ(data.images[kImagePixels], 20);
  EXPECT_EQ(data.images[2 * kImagePixels], 30);
}

TEST_F(PngDataset, NamesThatAreNot) {
  for (const char* name : {"seven.png", "7.png", "7_.png", "_7.png", "7_1x.png", "-7_1.png",
                           "99999999999999999999999_1.png", "7_99999999999.png", "1_2_3.png"}) {
    put(name, 0);
    EXPECT_THAT(read_error(), AllOf(HasSubstr((directory_ / name).string()),
                                    HasSubstr("{number}_{label}.png"), HasSubstr("rename")))
        << name;
    std::filesystem::remove(directory_ / name);
  }
}

TEST_F(PngDataset, LabelsThatAreNoBytes) {
  put("7_256.png", 0);
  EXPECT_THAT(read_error(), AllOf(HasSubstr("7_256.png has label 256"), HasSubstr("0 to 255")));
  std::filesystem::rename(directory_ / "7_256.png", directory_ / "7_-1.png");
  EXPECT_THAT(read_error(), HasSubstr("label -1"));
}

TEST_F(PngDataset, TwoOfOneNumber) {
  put("1_1.png", 0);
  put("01_2.png", 0);
  EXPECT_THAT(read_error(),
              AllOf(HasSubstr("1_1.png"), HasSubstr("01_2.png"), HasSubstr("one number")));
}

TEST_F(PngDataset, AnotherSize) {
  put("1_1.png", 0);
  put("2_1.png", 0, 32);
  EXPECT_THAT(read_error(), AllOf(HasSubstr((directory_ / "2_1.png").string()), HasSubstr("32x32"),
                                  HasSubstr("28x28")));
}

TEST_F(PngDataset, NotAPng) {
  put("1_1.png", 0);
  write_file(directory_ / "2_1.png", "no image");
  EXPECT_THAT(read_error(), AllOf(HasSubstr((directory_ / "2_1.png").string()), HasSubstr("PNG")));
}

TEST_F(PngDataset, EmptyAndMissingFolders) {
  EXPECT_THAT(read_error(),
              AllOf(HasSubstr(directory_.path().string()), HasSubstr("put the images")));
  const auto missing = directory_ / "missing";
  EXPECT_THAT(error_of<InputError>([&] { read_png_dataset(missing); }),
              AllOf(HasSubstr(missing.string()), HasSubstr("No such file")));
}

}  // namespace
}  // namespace digitron
