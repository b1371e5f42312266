// Labelled images in memory: levels from 0 to 255, as they are in the files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/core/task.h"

namespace digitron {

struct Dataset {
  std::vector<uint8_t> images;  // (count, channels, height, width)
  std::vector<uint8_t> labels;  // (count), each below the task's number of classes
  int count() const { return static_cast<int>(labels.size()); }
};

// A training and a test set, and what a report must say about them.
struct Data {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::string source;  // a directory, or "synthetic"
  Task task;
  std::string name = {};  // "MNIST", "Fashion-MNIST", by checksum; empty for others
  // One line for logs: "MNIST from data/mnist", "synthetic digits (not MNIST)".
  std::string description;
  // Of the training images as IDX bytes, in hexadecimal; empty when not computed.
  std::string sha256;

  bool is_mnist() const { return name == "MNIST"; }
};

}  // namespace digitron
