// Labelled images in memory: 28x28 grey levels as they are in the files, 0 to 255.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/shared/dataset_constants.h"

namespace digitron {

struct Dataset {
  std::vector<uint8_t> images;  // (count, 28, 28)
  std::vector<uint8_t> labels;  // (count), each under kClasses
  int count() const { return static_cast<int>(labels.size()); }
};

// A training and a test set, and what a report must say about them.
struct Data {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::string source;  // a directory, or "synthetic"
  std::string
      description;  // one line for logs: "MNIST from data/mnist", "synthetic digits (not MNIST)"
  std::string
      sha256;  // of the training images as IDX bytes, in hexadecimal; empty when not computed
  bool is_mnist = false;  // the four files are MNIST's, by checksum
};

}  // namespace digitron
