// Where the images come from.
#pragma once

#include <string>
#include <vector>

#include "host/core/dataset.h"
#include "host/data/known_datasets.h"

namespace digitron {

// What load_data knows by name; the first is what it searches for when it is not told. Tests use
// their own.
struct SearchOptions {
  std::vector<KnownDataset> known = known_datasets();
};

// A training and a test set, and the task that they set. `source` is a directory, the word of a
// known data set, the word "synthetic", or empty for the search: $DIGITRON_DATA (any of the three),
// then MNIST's directories, a download, synthetic digits. Downloads are from $DIGITRON_MIRROR
// alone, where that is set.
//
// A directory has four IDX files, plain or .gz (train-images-idx3-ubyte or train-images.idx3-ubyte,
// and so on), CIFAR-10's binary files, or folders train/ and test/ of {number}_{label}.png. One
// that was named must be whole: InputError otherwise. In the search, a directory that has no such
// file counts as absent, a broken one is an InputError. What a word stands for is looked for in its
// directories and then downloaded, and must have the known check sums: InputError, or MachineError
// of the download. In the search a failed download is logged as a warning, and so is the use of
// synthetic digits in its place.
//
// Of a data set that is not known by its check sums the classes are as many as its labels say, ten
// at least for 28x28, and mean and deviation are measured on the training images.
Data load_data(const std::string& source, const SearchOptions& options = {});

// The same without the training set, which is null: of a directory only the test set must be there.
// There is no check sum of the training images, the name is the test set's, and what else would be
// taken from the training images is taken from its own: a checkpoint has its own task.
Data load_test_set(const std::string& source, const SearchOptions& options = {});

}  // namespace digitron
