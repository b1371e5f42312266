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

// The files of the training set are the first two of kIdxNames and kMnistFiles.
constexpr size_t first_file(Split split) {
  return split == Split::kTrain ? 0 : 2;
}

IdxDataset read_idx_directory(const fs::path& directory, Split split) {
  std::array<fs::path, 2> paths;  // images, labels
  for (size_t i = 0; i < paths.size(); ++i) {
    const size_t file = first_file(split) + i;
    const auto path = find_idx(directory, file);
    if (!path)
      throw InputError((directory / kIdxNames[file][0]).string() +
                       " is missing, plain or .gz; put it beside the other IDX files");
    paths[i] = *path;
  }
  return read_idx_dataset(paths[0], paths[1]);
}

IdxDataset read_directory(const fs::path& directory, Split split) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    throw InputError("no data directory " + directory.string() +
                     "; give --data a directory, or the word synthetic");
  for (size_t file = 0; file < kIdxNames.size(); ++file)
    if (find_idx(directory, file)) return read_idx_directory(directory, split);
  if (has_data(directory))
    return {read_png_dataset(directory / (split == Split::kTrain ? "train" : "test")), ""};
  throw InputError(
      directory.string() +
      " has neither train-images-idx3-ubyte, train-labels-idx1-ubyte, "
      "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (plain or .gz) nor train/ and "
      "test/ with {number}_{label}.png; put one or the other there");
}

IdxDataset read_set(const std::string& source, Split split) {
  if (source != kSynthetic) return read_directory(source, split);
  const int count = split == Split::kTrain ? kSyntheticTrainCount : kSyntheticTestCount;
  return {synthetic_digits(kSyntheticSeed, split, count), ""};
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

struct CheckedSet {
  std::shared_ptr<const Dataset> data;
  std::string sha256;  // of its images
  bool is_mnist;
};

// The check sums are those that the set has as IDX files, also where it was read from PNGs.
CheckedSet load_set(const std::string& source, Split split, const SearchOptions& options) {
  const KnownFile* const mnist = &options.mnist_files[first_file(split)];
  IdxDataset set = read_set(source, split);
  const auto data = std::make_shared<const Dataset>(std::move(set.data));
  const std::string sha256 =
      set.images_sha256.empty() ? images_sha256(*data) : std::move(set.images_sha256);
  return {data, sha256, sha256 == mnist[0].sha256 && labels_sha256(*data) == mnist[1].sha256};
}

std::string description_of(const Data& data) {
  if (data.source == kSynthetic) return "synthetic digits (not MNIST)";
  if (data.is_mnist) return "MNIST from " + data.source;
  return "images from " + data.source + " (not MNIST, by their check sums)";
}

enum class Sets { kBoth, kTest };

// Both sets are read, inflated and checked side by side.
Data load_named(const std::string& source, Sets sets, const SearchOptions& options) {
  auto test =
      std::async(std::launch::async, [&] { return load_set(source, Split::kHeldOut, options); });
  Data data;
  data.source = source;
  data.is_mnist = true;
  if (sets == Sets::kBoth) {
    CheckedSet train = load_set(source, Split::kTrain, options);
    data.train = std::move(train.data);
    data.sha256 = std::move(train.sha256);
    data.is_mnist = train.is_mnist;
  }
  const CheckedSet checked = test.get();
  data.test = checked.data;
  data.is_mnist = data.is_mnist && checked.is_mnist;
  data.description = description_of(data);
  return data;
}

bool download(const SearchOptions& options) {
  const char* const mirror = std::getenv("DIGITRON_MIRROR");
  const bool has_own = mirror != nullptr && *mirror != '\0';
  try {
    download_files(has_own ? std::vector<std::string>{mirror} : options.mirrors,
                   options.mnist_files, options.download_directory);
    return true;
  } catch (const std::runtime_error& error) {
    spdlog::warn("MNIST was not downloaded: {}", error.what());
    return false;
  }
}

Data load(const std::string& source, Sets sets, const SearchOptions& options) {
  if (!source.empty()) return load_named(source, sets, options);
  const char* const variable = std::getenv("DIGITRON_DATA");
  if (variable != nullptr && *variable != '\0') {
    try {
      return load_named(variable, sets, options);
    } catch (const InputError& error) {
      throw InputError(std::string(error.what()) + " (named by $DIGITRON_DATA)");
    }
  }
  for (const fs::path& directory : options.directories)
    if (has_data(directory)) return load_named(directory.string(), sets, options);
  if (download(options)) return load_named(options.download_directory.string(), sets, options);
  spdlog::warn(
      "no MNIST here: using synthetic digits, which are NOT MNIST; their accuracy says "
      "nothing about MNIST's");
  return load_named(kSynthetic, sets, options);
}

}  // namespace

Data load_data(const std::string& source, const SearchOptions& options) {
  return load(source, Sets::kBoth, options);
}

Data load_test_set(const std::string& source, const SearchOptions& options) {
  return load(source, Sets::kTest, options);
}

}  // namespace digitron
