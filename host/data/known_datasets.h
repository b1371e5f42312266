// The data sets that are known by name: what they must hold, and where they can be had.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/task.h"
#include "host/data/download.h"

namespace digitron {

struct KnownDataset {
  std::string word;  // what --data takes: "fashion-mnist"
  std::string name;  // "Fashion-MNIST"
  // Training images, training labels, test images, test labels.
  std::array<KnownFile, 4> files;
  std::vector<std::string> mirrors;
  std::vector<std::filesystem::path> directories;  // to look in, before a download into the first
  std::vector<std::string> classes;
  // Of the training images; 0: measured when they are read.
  float mean = 0;
  float deviation = 0;
};

// MNIST (LeCun, Cortes, Burges), Fashion-MNIST (Xiao, Rasul, Vollgraf), KMNIST (Clanuwat and
// others), QMNIST (Yadav, Bottou). MNIST is the first.
const std::vector<KnownDataset>& known_datasets();

// By its word; null for another.
const KnownDataset* find_dataset(std::string_view word);

}  // namespace digitron
