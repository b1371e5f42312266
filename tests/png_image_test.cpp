#include "host/data/png_image.h"

#include <gmock/gmock.h>
#include <png.h>

#include <numeric>
#include <string>

#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/png_files.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

// Any format of libpng's simplified interface; pixels are in that format.
template <typename Sample>
void write_png(const std::filesystem::path& path, int width, int height, png_uint_32 format,
               const std::vector<Sample>& samples, const void* colormap = nullptr, int colors = 0) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png.colormap_entries = static_cast<png_uint_32>(colors);
  ASSERT_TRUE(png_image_write_to_file(&png, path.c_str(), 0, samples.data(), 0, colormap))
      << png.message;
}

class PngImage : public ::testing::Test {
 protected:
  std::string read_error() {
    const std::string message = error_of<InputError>([&] { read_png_grey(path_); });
    EXPECT_THAT(message, AllOf(HasSubstr(path_.string()), HasSubstr("check the file")));
    return message;
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_ / "image.png";
};

TEST_F(PngImage, GreyIsReadAsItWasWritten) {
  std::vector<uint8_t> pixels(256 * 3);
  std::iota(pixels.begin(), pixels.end(), uint8_t{0});
  write_png_grey(path_, 256, 3, pixels);
  const GreyImage image = read_png_grey(path_);
  EXPECT_EQ(image.name, path_.string());
  EXPECT_EQ(image.width, 256);
  EXPECT_EQ(image.height, 3);
  EXPECT_EQ(image.pixels, pixels);
  EXPECT_THAT(names_in(directory_.path()), ElementsAre("image.png"));
}

TEST_F(PngImage, ColourBecomesLuminance) {
  write_png<uint8_t>(path_, 5, 1, PNG_FORMAT_RGB,
                     {255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255});
  const auto grey = read_png_grey(path_).pixels;
  EXPECT_EQ(grey[0], 255);
  EXPECT_EQ(grey[1], 0);
  EXPECT_GT(grey[3], grey[2]);  // green is the lightest, blue the darkest
  EXPECT_GT(grey[2], grey[4]);
  EXPECT_GT(grey[4], 0);
}

TEST_F(PngImage, AlphaIsComposedOverWhite) {
  write_png<uint8_t>(path_, 3, 1, PNG_FORMAT_RGBA, {0, 0, 0, 0, 0, 0, 0, 255, 9, 9, 9, 128});
  const auto grey = read_png_grey(path_).pixels;
  EXPECT_EQ(grey[0], 255);
  EXPECT_EQ(grey[1], 0);
  EXPECT_GT(grey[2], 100);
  EXPECT_LT(grey[2], 220);
}

TEST_F(PngImage, SixteenBitsAndPalette) {
  write_png<uint16_t>(path_, 2, 1, PNG_FORMAT_LINEAR_Y, {0, 65535});
  EXPECT_THAT(read_png_grey(path_).pixels, ElementsAre(0, 255));

  const std::vector<uint8_t> palette{255, 255, 255, 0, 0, 0};
  write_png<uint8_t>(path_, 3, 1, PNG_FORMAT_RGB_COLORMAP, {1, 0, 1}, palette.data(), 2);
  EXPECT_THAT(read_png_grey(path_).pixels, ElementsAre(0, 255, 0));
}

TEST_F(PngImage, MissingFile) {
  EXPECT_THAT(read_error(), HasSubstr("No such file"));
}

TEST_F(PngImage, NotAPng) {
  for (const char* bytes : {"", "hello", "GIF89a, which is another kind of image"}) {
    write_file(path_, bytes);
    EXPECT_THAT(read_error(), HasSubstr("as a PNG"));
    EXPECT_EQ(read_file(path_), bytes);
  }
}

TEST_F(PngImage, TruncatedAnywhere) {
  std::vector<uint8_t> pixels(64 * 64);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * i / 7);
  write_png_grey(path_, 64, 64, pixels);
  const std::string whole = read_file(path_);
  for (size_t bytes = 0; bytes + 100 < whole.size(); bytes += 37) {
    write_file(path_, whole.substr(0, bytes));
    read_error();
  }
}

TEST_F(PngImage, CorruptBytes) {
  write_png_grey(path_, 8, 8, std::vector<uint8_t>(64, 77));
  const std::string whole = read_file(path_);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] + 85);
    write_file(path_, bytes);
    try {
      read_png_grey(path_);
    } catch (const InputError&) {
    }
  }
}

TEST_F(PngImage, AbsurdlyLarge) {
  write_png_grey(path_, 8, 8, std::vector<uint8_t>(64, 77));
  std::string bytes = read_file(path_);
  bytes.replace(16, 8, std::string("\0\0\xff\xff\0\0\xff\xff", 8));  // width and height in IHDR
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  for (size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<char>(~crc >> (24 - 8 * i));
  write_file(path_, bytes);
  EXPECT_THAT(read_error(), HasSubstr("65535x65535 pixels are more than"));
}

TEST_F(PngImage, WritingChecksItsSizeAndPlace) {
  const std::vector<uint8_t> pixels(12);
  EXPECT_THAT(error_of<InputError>([&] { write_png_grey(path_, 5, 3, pixels); }), HasSubstr("5x3"));
  const auto nowhere = directory_ / "missing" / "image.png";
  EXPECT_THAT(error_of<InputError>([&] { write_png_grey(nowhere, 4, 3, pixels); }),
              HasSubstr(nowhere.string()));
}

}  // namespace
}  // namespace digitron
