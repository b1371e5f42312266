// CIFAR-10's binary files: records of a label and an image of 3x32x32, red, green and blue.
// https://www.cs.toronto.edu/~kriz/cifar.html
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "host/data/image_set.h"

namespace digitron {

// Whether the directory has one of its files.
bool has_cifar(const std::filesystem::path& directory);

// data_batch_1.bin, data_batch_2.bin and so on, as many as there are, one after another, or
// test_batch.bin. Throws InputError naming the file when one is missing or not whole records, or
// has a label above 9.
ImageSet read_cifar(const std::filesystem::path& directory, Split split);

// "airplane", "automobile", and so on
std::vector<std::string> cifar_classes();

}  // namespace digitron
