// Writes PNG files for tests.
#pragma once

#include <filesystem>

#include "host/data/png_image.h"
#include "host/files/atomic_file.h"

namespace digitron {

// pixels (height, width). Replaces a file of that name. Throws as write_file_atomically does.
inline void write_png_grey(const std::filesystem::path& path, int width, int height,
                           std::span<const uint8_t> pixels) {
  write_file_atomically(path, grey_png(width, height, pixels));
}

}  // namespace digitron
