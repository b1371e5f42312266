// IDX, the file format of MNIST: a big-endian header (magic number, sizes), then the bytes; plain
// or .gz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host/core/dataset.h"

namespace digitron {

// The pixels of an images file, (count, 28, 28). Throws InputError naming the file when it is
// missing, corrupt, shorter or longer than its header promises, empty, or of another kind or image
// size. Memory follows what is in the file, never what its header claims.
std::vector<uint8_t> read_idx_images(const std::filesystem::path& path);

// The labels of a labels file, (count), each under kClasses. Throws as above.
std::vector<uint8_t> read_idx_labels(const std::filesystem::path& path);

struct IdxDataset {
  Dataset data;
  std::string images_sha256;  // of the uncompressed images file; empty when not computed
};

// A pair of files. Throws also when they do not hold as many images as labels.
IdxDataset read_idx_dataset(const std::filesystem::path& images,
                            const std::filesystem::path& labels);

// The header of an images file, 16 bytes, and of a labels file, 8 bytes.
std::vector<uint8_t> idx_images_header(uint32_t count);
std::vector<uint8_t> idx_labels_header(uint32_t count);

}  // namespace digitron
