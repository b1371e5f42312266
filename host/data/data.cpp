#include "host/data/data.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <future>
#include <optional>
#include <utility>

#include "host/core/engine.h"
#include "host/core/error.h"
#include "host/data/idx.h"
#include "host/data/png_dataset.h"
#include "host/data/sha256.h"
#include "host/data/synthetic.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSynthetic = "synthetic";
constexpr uint64_t kSyntheticSeed = 1;  // one data set: no run's seed changes what it learns from

// In the order of kMnistFiles; each also as .gz.
constexpr std::array<std::array<const char*, 2>, 4> kIdxNames{{
    {"train-images-idx3-ubyte", "train-images.idx3-ubyte"},
    {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"},
    {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"},
    {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"},
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

// Whether a directory has a file of a data set, even if others are missing.
bool has_data(const fs::path& directory) {
  for (size_t file = 0; file < kIdxNames.size(); ++file)
    if (find_idx(directory, file)) return true;
  return is_there(directory / "train") || is_there(directory / "test");
}

using Datasets = std::pair<Dataset, Dataset>;  // train, test

template <typename Read>
Datasets read_both(const Read& read) {
  auto test = std::async(std::launch::async, [&] { return read(Split::kHeldOut); });
  Dataset train = read(Split::kTrain);
  return {std::move(train), test.get()};
}

Datasets read_idx_directory(const fs::path& directory) {
  std::array<fs::path, 4> paths;
  for (size_t file = 0; file < paths.size(); ++file) {
    const auto path = find_idx(directory, file);
    if (!path)
      throw InputError((directory / kIdxNames[file][0]).string() +
                       " is missing, plain or .gz; put it beside the other IDX files");
    paths[file] = *path;
  }
  return read_both([&](Split split) {
    return split == Split::kTrain ? read_idx_dataset(paths[0], paths[1])
                                  : read_idx_dataset(paths[2], paths[3]);
  });
}

Datasets read_directory(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    throw InputError("no data directory " + directory.string() +
                     "; give --data a directory, or the word synthetic");
  for (size_t file = 0; file < kIdxNames.size(); ++file)
    if (find_idx(directory, file)) return read_idx_directory(directory);
  if (has_data(directory))
    return {read_png_dataset(directory / "train"), read_png_dataset(directory / "test")};
  throw InputError(
      directory.string() +
      " has neither train-images-idx3-ubyte, train-labels-idx1-ubyte, "
      "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (plain or .gz) nor train/ and "
      "test/ with {number}_{label}.png; put one or the other there");
}

std::string sha256_with_header(const std::vector<uint8_t>& header,
                               const std::vector<uint8_t>& bytes) {
  Sha256 sha256;
  sha256.update(header);
  sha256.update(bytes);
  return sha256.hex();
}

std::string images_sha256(const Dataset& data) {
  return sha256_with_header(idx_images_header(static_cast<uint32_t>(data.count())), data.images);
}

std::string labels_sha256(const Dataset& data) {
  return sha256_with_header(idx_labels_header(static_cast<uint32_t>(data.count())), data.labels);
}

// The check sums are those that the set has as IDX files, also where it was read from PNGs.
Data describe(Datasets sets, const std::string& source, const std::array<KnownFile, 4>& mnist) {
  Data data;
  data.source = source;
  data.sha256 = images_sha256(sets.first);
  data.is_mnist = data.sha256 == mnist[0].sha256 && labels_sha256(sets.first) == mnist[1].sha256 &&
                  images_sha256(sets.second) == mnist[2].sha256 &&
                  labels_sha256(sets.second) == mnist[3].sha256;
  if (source == kSynthetic)
    data.description = "synthetic digits (not MNIST)";
  else if (data.is_mnist)
    data.description = "MNIST from " + source;
  else
    data.description = "images from " + source + " (not MNIST, by their check sums)";
  data.train = std::make_shared<const Dataset>(std::move(sets.first));
  data.test = std::make_shared<const Dataset>(std::move(sets.second));
  return data;
}

Data load_named(const std::string& source, const SearchOptions& options) {
  if (source != kSynthetic) return describe(read_directory(source), source, options.mnist_files);
  Datasets sets{synthetic_digits(kSyntheticSeed, Split::kTrain, kSyntheticTrainCount),
                synthetic_digits(kSyntheticSeed, Split::kHeldOut, kSyntheticTestCount)};
  return describe(std::move(sets), source, options.mnist_files);
}

bool download(const SearchOptions& options) {
  try {
    download_files(options.mirrors, options.mnist_files, options.download_directory);
    return true;
  } catch (const std::runtime_error& error) {
    spdlog::warn("MNIST was not downloaded: {}", error.what());
    return false;
  }
}

}  // namespace

Data load_data(const std::string& source, const SearchOptions& options) {
  if (!source.empty()) return load_named(source, options);
  const char* const variable = std::getenv("DIGITRON_DATA");
  if (variable != nullptr && *variable != '\0') {
    try {
      return load_named(variable, options);
    } catch (const InputError& error) {
      throw InputError(std::string(error.what()) + " (named by $DIGITRON_DATA)");
    }
  }
  for (const fs::path& directory : options.directories)
    if (has_data(directory)) return load_named(directory.string(), options);
  if (download(options)) return load_named(options.download_directory.string(), options);
  spdlog::warn(
      "no MNIST here: using synthetic digits, which are NOT MNIST; their accuracy says "
      "nothing about MNIST's");
  return load_named(kSynthetic, options);
}

}  // namespace digitron
