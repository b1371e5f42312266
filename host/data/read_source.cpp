#include "host/data/read_source.h"

#include <optional>

#include "host/core/error.h"
#include "host/data/cifar.h"
#include "host/data/idx.h"
#include "host/data/png_dataset.h"
#include "host/data/synthetic.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSyntheticSeed = 1;  // one data set: no run's seed changes what it learns from

// In the order of KnownDataset::files; each also as .gz. The last are QMNIST's.
constexpr std::array<std::array<const char*, 3>, 4> kIdxNames{{
    {"train-images-idx3-ubyte", "train-images.idx3-ubyte", "qmnist-train-images-idx3-ubyte"},
    {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte", "qmnist-train-labels-idx2-int"},
    {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "qmnist-test-images-idx3-ubyte"},
    {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte", "qmnist-test-labels-idx2-int"},
}};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::optional<fs::path> find_idx(const fs::path& directory, size_t file) {
  for (const char* suffix : {"", ".gz"})
    for (const char* name : kIdxNames[file])
      if (is_there(directory / (std::string(name) + suffix)))
        return directory / (std::string(name) + suffix);
  return std::nullopt;
}

ReadSet read_idx_directory(const fs::path& directory, Split split) {
  std::array<fs::path, 2> paths;  // images, labels
  for (size_t i = 0; i < paths.size(); ++i) {
    const size_t file = first_file(split) + i;
    const auto path = find_idx(directory, file);
    if (!path)
      throw InputError((directory / kIdxNames[file][0]).string() +
                       " is missing, plain or .gz; put it beside the other IDX files");
    paths[i] = *path;
  }
  return {read_idx_dataset(paths[0], paths[1]), paths};
}

bool is_png_directory(const fs::path& directory) {
  return is_there(directory / "train") || is_there(directory / "test");
}

ReadSet read_directory(const fs::path& directory, Split split, const std::string& words) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    throw InputError("no data directory " + directory.string() +
                     "; give --data a directory, or one of the words " + words);
  for (size_t file = 0; file < kIdxNames.size(); ++file)
    if (find_idx(directory, file)) return read_idx_directory(directory, split);
  if (has_cifar(directory)) return {read_cifar(directory, split), {}, cifar_classes()};
  if (is_png_directory(directory))
    return {read_png_dataset(directory / (split == Split::kTrain ? "train" : "test"))};
  throw InputError(
      directory.string() +
      " has neither train-images-idx3-ubyte, train-labels-idx1-ubyte, "
      "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (plain or .gz) nor train/ and "
      "test/ with {number}_{label}.png nor CIFAR-10's data_batch_1.bin and test_batch.bin; put one "
      "of them there");
}

}  // namespace

bool has_data(const fs::path& directory) {
  for (size_t file = 0; file < kIdxNames.size(); ++file)
    if (find_idx(directory, file)) return true;
  return is_png_directory(directory) || has_cifar(directory);
}

ReadSet read_source(const std::string& source, Split split, const std::string& words) {
  if (source != kSynthetic) return read_directory(source, split, words);
  const int count = split == Split::kTrain ? kSyntheticTrainCount : kSyntheticTestCount;
  return {{synthetic_digits(kSyntheticSeed, split, count), Task{}.image, ""}};
}

}  // namespace digitron
