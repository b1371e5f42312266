// PNG images, and how a picture of a digit is prepared as MNIST prepared its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/core/task.h"

namespace digitron {

struct GreyImage {
  std::string name;  // where it is from, for error messages
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // (height, width)
};

// Reads any PNG as 8-bit grey: 16 bits are reduced, palettes looked up, colour becomes its
// luminance, and alpha is composed over white, as on paper. 8-bit grey without alpha comes out as
// it is in the file. Throws InputError when the file is missing, is not a PNG, is broken, or has
// more than 64 million pixels.
GreyImage read_png_grey(const std::filesystem::path& path);

// Reads a PNG of exactly the size of `image`: (1, height, width) of grey as above, or (3, height,
// width) of red, green and blue. Throws as above, and for another size or number of channels.
std::vector<uint8_t> read_png_exactly(const std::filesystem::path& path, const Shape& image);

// A PNG file as bytes: pixels (height, width) of grey, or (height, width, 3) of red, green and
// blue. Throws InputError when there are not that many pixels.
std::string grey_png(int width, int height, std::span<const uint8_t> pixels);
std::string colour_png(int width, int height, std::span<const uint8_t> pixels);

// Returns (28, 28), white ink on black ground, as MNIST prepares its digits. The ground is the
// border's median, and dark ink on a light ground is inverted. A 28x28 image is taken to be
// prepared already: it is inverted when its ground is light, and never rescaled. Any other is
// cropped to its ink, stretched in contrast, scaled by area averaging so that the longer side takes
// 20 pixels, and placed with its centre of mass in the middle. Throws InputError when nothing is
// drawn on the image.
std::vector<uint8_t> prepare_digit(const GreyImage& image);

}  // namespace digitron
