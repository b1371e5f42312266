#include "host/data/png_image.h"

#include <png.h>

#include <string>
#include <string_view>

#include "host/core/error.h"

namespace digitron {

namespace {

constexpr uint64_t kMaxPixels = 64'000'000;

// libpng's simplified interface: its longjmp stays inside the library and never crosses a
// destructor.
class PngImage {
 public:
  PngImage() { image_.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image_); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;

  png_image* get() { return &image_; }
  png_image* operator->() { return &image_; }

 private:
  png_image image_{};
};

[[noreturn]] void fail(const std::string& name, const std::string& reason) {
  throw InputError("cannot read " + name + " as a PNG: " + reason + "; check the file");
}

// Any PNG in one of libpng's 8-bit formats: its size, and pixels by pixels.
GreyImage decode(const std::filesystem::path& path, png_uint_32 format) {
  const std::string name = path.string();
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    fail(name, "it is no regular file");
  PngImage png;
  if (!png_image_begin_read_from_file(png.get(), path.c_str())) fail(name, png->message);
  if (uint64_t{png->width} * png->height > kMaxPixels)
    fail(name, "its " + std::to_string(png->width) + "x" + std::to_string(png->height) +
                   " pixels are more than " + std::to_string(kMaxPixels));

  GreyImage image{name, static_cast<int>(png->width), static_cast<int>(png->height), {}};
  png->format = format;
  image.pixels.resize(PNG_IMAGE_SIZE(*png.get()));
  const png_color white{255, 255, 255};
  if (!png_image_finish_read(png.get(), &white, image.pixels.data(), 0, nullptr))
    fail(name, png->message);
  return image;
}

std::string encode(int width, int height, png_uint_32 format, std::span<const uint8_t> pixels) {
  PngImage png;
  png->width = static_cast<png_uint_32>(width);
  png->height = static_cast<png_uint_32>(height);
  png->format = format;
  if (width <= 0 || height <= 0 || pixels.size() != PNG_IMAGE_SIZE(*png.get()))
    throw InputError("cannot make a PNG of " + std::to_string(pixels.size()) + " bytes: not " +
                     std::to_string(width) + "x" + std::to_string(height) +
                     " pixels; pass an image of that size");

  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(*png.get()), '\0');
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(png.get(), bytes.data(), &size, 0, pixels.data(), 0, nullptr))
    throw MachineError(std::string("cannot make a PNG: ") + png->message + "; run again");
  bytes.resize(size);
  return bytes;
}

}  // namespace

GreyImage read_png_grey(const std::filesystem::path& path) {
  return decode(path, PNG_FORMAT_GRAY);
}

std::vector<uint8_t> read_png_exactly(const std::filesystem::path& path, const Shape& image) {
  if (image.channels != 1 && image.channels != 3) {
    throw InputError("a PNG has 1 or 3 channels, and the model takes images of " +
                     std::to_string(image.channels) + "; it reads no PNG");
  }
  const GreyImage read = decode(path, image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
  if (read.width != image.width || read.height != image.height) {
    throw InputError(read.name + " has " + std::to_string(read.height) + "x" +
                     std::to_string(read.width) + " pixels, and the model takes " +
                     form_text(image) + "; scale it to that");
  }
  std::vector<uint8_t> planes(read.pixels.size());
  const auto channels = static_cast<size_t>(image.channels);
  const auto plane = static_cast<size_t>(image.plane());
  for (size_t i = 0; i < planes.size(); ++i) {
    planes[i % channels * plane + i / channels] = read.pixels[i];
  }
  return planes;
}

std::string grey_png(int width, int height, std::span<const uint8_t> pixels) {
  return encode(width, height, PNG_FORMAT_GRAY, pixels);
}

std::string colour_png(int width, int height, std::span<const uint8_t> pixels) {
  return encode(width, height, PNG_FORMAT_RGB, pixels);
}

}  // namespace digitron
