// IDX, the file format of MNIST and those after it: a big-endian header (magic number, sizes), then
// the elements; plain or .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host/data/image_set.h"

namespace digitron {

struct IdxImages {
  std::vector<uint8_t> bytes;  // (count, channels, height, width)
  Shape image;
  std::string sha256;  // of the uncompressed file; empty when not computed
};

// An images file: bytes in 3 dimensions, (count, height, width), or in 4, (count, channels, height,
// width). Throws InputError naming the file when it is missing, corrupt, shorter or longer than its
// header promises, empty, or of another kind or impossible size. Memory follows what is in the
// file, never what its header claims.
IdxImages read_idx_images(const std::filesystem::path& path);

// The labels of a labels file, (count): bytes in 1 dimension, or, as QMNIST has them, 32-bit
// integers in 2, of which the first of each row counts. Throws as above.
std::vector<uint8_t> read_idx_labels(const std::filesystem::path& path);

// A pair of files. Throws also when they do not hold as many images as labels.
ImageSet read_idx_dataset(const std::filesystem::path& images, const std::filesystem::path& labels);

// The header of an images file, 16 or 20 bytes, and of a labels file, 8 bytes.
std::vector<uint8_t> idx_images_header(uint32_t count, const Shape& image);
std::vector<uint8_t> idx_labels_header(uint32_t count);

}  // namespace digitron
