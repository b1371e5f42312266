// Writes small IDX files for tests.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/core/dataset.h"
#include "host/data/idx.h"
#include "tests/data_testing.h"
#include "tests/mnist_form.h"

namespace digitron::testing {

inline std::string joined(const std::vector<uint8_t>& header, const std::vector<uint8_t>& payload) {
  std::string bytes(header.begin(), header.end());
  bytes.append(payload.begin(), payload.end());
  return bytes;
}

inline std::string idx_images_bytes(const Dataset& data, const Shape& image = {1, 28, 28}) {
  return joined(idx_images_header(static_cast<uint32_t>(data.count()), image), data.images);
}

inline std::string idx_labels_bytes(const Dataset& data) {
  return joined(idx_labels_header(static_cast<uint32_t>(data.count())), data.labels);
}

inline std::string gzipped(const std::string& bytes) {
  const TemporaryDirectory directory;
  const auto path = directory / "file.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  if (file == nullptr) throw std::runtime_error("gzopen failed");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return read_file(path);
}

// `count` images whose pixels all differ from image to image; labels 0, 1, 2, ...
inline Dataset small_dataset(int count, int salt = 0) {
  Dataset data;
  for (int i = 0; i < count; ++i) {
    data.labels.push_back(static_cast<uint8_t>(i % 10));
    for (int pixel = 0; pixel < kImagePixels; ++pixel)
      data.images.push_back(static_cast<uint8_t>(salt + 31 * i + 7 * pixel + pixel * pixel / 29));
  }
  return data;
}

// The four files under their usual names; suffix is "" or ".gz".
inline void write_idx_directory(const std::filesystem::path& directory, const Dataset& train,
                                const Dataset& test, const std::string& suffix = "") {
  const auto write = [&](const std::string& name, const std::string& bytes) {
    write_file(directory / (name + suffix), suffix == ".gz" ? gzipped(bytes) : bytes);
  };
  write("train-images-idx3-ubyte", idx_images_bytes(train));
  write("train-labels-idx1-ubyte", idx_labels_bytes(train));
  write("t10k-images-idx3-ubyte", idx_images_bytes(test));
  write("t10k-labels-idx1-ubyte", idx_labels_bytes(test));
}

}  // namespace digitron::testing
