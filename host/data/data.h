// Where the images come from.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "host/core/dataset.h"
#include "host/data/mnist.h"

namespace digitron {

// Where load_data looks when it is not told, and what it takes for MNIST. Tests use their own.
struct SearchOptions {
  std::vector<std::filesystem::path> directories{"data/mnist", "../shared/mnist"};
  std::filesystem::path download_directory = "data/mnist";
  std::vector<std::string> mirrors = kMnistMirrors;
  std::array<KnownFile, 4> mnist_files = kMnistFiles;
};

// A training and a test set. `source` is a directory, the word "synthetic", or empty for the
// search: $DIGITRON_DATA (either of the two), the directories, a download (from $DIGITRON_MIRROR
// alone, where that is set), synthetic digits.
//
// A directory has four IDX files, plain or .gz (train-images-idx3-ubyte or train-images.idx3-ubyte,
// and so on), or folders train/ and test/ of {number}_{label}.png. A directory that was named must
// be whole: InputError otherwise. In the search, a directory that has no such file counts as
// absent, a broken one is an InputError. A failed download is logged as a warning, and so is the
// use of synthetic digits in its place.
Data load_data(const std::string& source, const SearchOptions& options = {});

// The same without the training set, which is null: of a directory only the test set must be there.
// There is no check sum of the training images, and is_mnist is of the test set alone.
Data load_test_set(const std::string& source, const SearchOptions& options = {});

}  // namespace digitron
