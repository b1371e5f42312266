#include "host/data/data.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <optional>
#include <utility>

#include "host/core/error.h"
#include "host/data/idx.h"
#include "host/data/read_source.h"
#include "host/data/sha256.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

std::string words(const SearchOptions& options) {
  std::string all = kSynthetic;
  for (const KnownDataset& known : options.known) all += ", " + known.word;
  return all;
}

std::string sha256_with_header(const std::vector<uint8_t>& header,
                               const std::vector<uint8_t>& bytes) {
  Sha256 sha256;
  sha256.update(header);
  sha256.update(bytes);
  return sha256.hex();
}

// ---- which data set it is

// Of a file's own bytes; empty where it cannot be read.
std::string file_sha256(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  return file ? sha256_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}) : "";
}

// The check sums of a split's images and labels, as KnownDataset::files has them. Those of the
// contents are what the set has as IDX files, also where it was read from PNGs; those of the .gz
// files are made when they are asked for.
class Sums {
 public:
  explicit Sums(const ReadSet& read) : read_(read) {
    const Dataset& data = read.set.data;
    const auto count = static_cast<uint32_t>(data.count());
    contents_[0] = read.set.images_sha256;
    if (contents_[0].empty()) {
      contents_[0] = sha256_with_header(idx_images_header(count, read.set.image), data.images);
    }
    contents_[1] = sha256_with_header(idx_labels_header(count), data.labels);
  }

  const std::string& images() const { return contents_[0]; }

  bool are(const KnownFile* files) {
    for (size_t i = 0; i < contents_.size(); ++i) {
      const bool gz = files[i].of == KnownFile::Sum::kGz;
      if (files[i].sha256 != (gz ? of_gz(i) : contents_[i])) return false;
    }
    return true;
  }

 private:
  const std::string& of_gz(size_t i) {
    const fs::path& path = read_.files[i];
    if (gz_[i].empty() && path.extension() == ".gz") gz_[i] = file_sha256(path);
    return gz_[i];
  }

  const ReadSet& read_;
  std::array<std::string, 2> contents_, gz_;
};

struct CheckedSet {
  std::shared_ptr<const Dataset> data;
  Shape image;
  std::vector<std::string> class_names;
  std::string sha256;         // of its images
  const KnownDataset* known;  // null for none
};

CheckedSet load_set(const std::string& source, Split split, const SearchOptions& options) {
  ReadSet read = read_source(source, split, words(options));
  Sums sums(read);
  const auto known = std::find_if(
      options.known.begin(), options.known.end(),
      [&](const KnownDataset& each) { return sums.are(&each.files[first_file(split)]); });
  std::string sha256 = sums.images();
  return {std::make_shared<const Dataset>(std::move(read.set.data)), read.set.image,
          std::move(read.class_names), std::move(sha256),
          known == options.known.end() ? nullptr : &*known};
}

// ---- the task that it sets

int classes_by_label(const Dataset& data) {
  return 1 + *std::max_element(data.labels.begin(), data.labels.end());
}

// Over all pixels of a channel. Images without any contrast are left as they are.
void measure_pixels(Task& task, const Dataset& data) {
  const auto plane = static_cast<size_t>(task.image.plane());
  std::vector<std::array<uint64_t, 256>> counts(static_cast<size_t>(task.image.channels));
  for (size_t at = 0; at < data.images.size();) {
    for (std::array<uint64_t, 256>& count : counts) {
      for (const size_t end = at + plane; at < end; ++at) ++count[data.images[at]];
    }
  }
  task.mean.clear();
  task.deviation.clear();
  const double pixels = static_cast<double>(plane) * data.count();
  for (const std::array<uint64_t, 256>& count : counts) {
    double sum = 0, squares = 0;
    for (size_t value = 0; value < count.size(); ++value) {
      const double level = static_cast<double>(value) / 255;
      sum += level * static_cast<double>(count[value]);
      squares += level * level * static_cast<double>(count[value]);
    }
    const double mean = sum / pixels;
    const double variance = squares / pixels - mean * mean;
    task.mean.push_back(static_cast<float>(mean));
    task.deviation.push_back(variance > 1e-9 ? static_cast<float>(std::sqrt(variance)) : 1.0f);
  }
}

// `first`: the training set, where there is one.
Task task_of(const CheckedSet& first, const CheckedSet& test, const KnownDataset* known,
             const std::string& source) {
  Task task;
  task.image = first.image;
  if (known != nullptr) {
    task.classes = known->classes;
  } else if (!first.class_names.empty()) {
    task.classes = first.class_names;
  } else {
    int count = std::max({2, classes_by_label(*first.data), classes_by_label(*test.data)});
    if (task.image == Task{}.image) count = std::max(count, Task{}.class_count());
    task.classes = numbered_classes(count);
  }
  if (known != nullptr && known->deviation > 0) {
    task.mean = {known->mean};
    task.deviation = {known->deviation};
  } else if (source != kSynthetic) {  // that is as MNIST
    measure_pixels(task, *first.data);
  }
  check_task(task, source);
  return task;
}

std::string description_of(const Data& data) {
  if (data.source == kSynthetic) return "synthetic digits (not MNIST)";
  if (!data.name.empty()) return data.name + " from " + data.source;
  return "images from " + data.source + ", " + form_text(data.task.image) + " in " +
         std::to_string(data.task.class_count()) + " classes (no data set that is known)";
}

enum class Sets { kBoth, kTest };

// Both sets are read, inflated and checked side by side.
Data load_named(const std::string& source, Sets sets, const SearchOptions& options) {
  auto reading =
      std::async(std::launch::async, [&] { return load_set(source, Split::kHeldOut, options); });
  Data data;
  data.source = source;
  std::optional<CheckedSet> train;
  if (sets == Sets::kBoth) train = load_set(source, Split::kTrain, options);
  const CheckedSet test = reading.get();
  const CheckedSet& first = train ? *train : test;
  if (first.image != test.image) {
    throw InputError(source + " has training images of " + form_text(first.image) +
                     " and test images of " + form_text(test.image) +
                     "; take both from one data set");
  }
  const KnownDataset* const known = first.known == test.known ? test.known : nullptr;
  data.task = task_of(first, test, known, source);
  if (known != nullptr) data.name = known->name;
  if (train) {
    data.train = train->data;
    data.sha256 = train->sha256;
  }
  data.test = test.data;
  data.description = description_of(data);
  return data;
}

// ---- where it is looked for

std::optional<fs::path> find_directory(const KnownDataset& known) {
  const auto there = std::find_if(known.directories.begin(), known.directories.end(), has_data);
  if (there == known.directories.end()) return std::nullopt;
  return *there;
}

void download(const KnownDataset& known) {
  const char* const mirror = std::getenv("DIGITRON_MIRROR");
  const bool has_own = mirror != nullptr && *mirror != '\0';
  download_files(has_own ? std::vector<std::string>{mirror} : known.mirrors, known.files,
                 known.directories.front());
}

Data load_known(const KnownDataset& known, Sets sets, const SearchOptions& options) {
  std::optional<fs::path> directory = find_directory(known);
  if (!directory) {
    directory = known.directories.front();
    download(known);
  }
  Data data = load_named(directory->string(), sets, options);
  if (data.name != known.name) {
    throw InputError(directory->string() + " does not hold " + known.name +
                     ", by its check sums; remove it, to download it anew, or give --data ./" +
                     directory->string() + " to train on what is there");
  }
  return data;
}

// A word or a directory.
Data load_source(const std::string& source, Sets sets, const SearchOptions& options) {
  for (const KnownDataset& known : options.known) {
    if (source == known.word) return load_known(known, sets, options);
  }
  return load_named(source, sets, options);
}

Data search(Sets sets, const SearchOptions& options) {
  const KnownDataset& mnist = options.known.front();
  if (const auto directory = find_directory(mnist)) {
    return load_named(directory->string(), sets, options);
  }
  try {
    download(mnist);
  } catch (const std::runtime_error& error) {
    spdlog::warn("{} was not downloaded: {}", mnist.name, error.what());
    spdlog::warn(
        "no MNIST here: using synthetic digits, which are NOT MNIST; their accuracy says "
        "nothing about MNIST's");
    return load_named(kSynthetic, sets, options);
  }
  return load_named(mnist.directories.front().string(), sets, options);
}

Data load(const std::string& source, Sets sets, const SearchOptions& options) {
  if (!source.empty()) return load_source(source, sets, options);
  const char* const variable = std::getenv("DIGITRON_DATA");
  if (variable == nullptr || *variable == '\0') return search(sets, options);
  try {
    return load_source(variable, sets, options);
  } catch (const InputError& error) {
    throw InputError(std::string(error.what()) + " (named by $DIGITRON_DATA)");
  }
}

}  // namespace

Data load_data(const std::string& source, const SearchOptions& options) {
  return load(source, Sets::kBoth, options);
}

Data load_test_set(const std::string& source, const SearchOptions& options) {
  return load(source, Sets::kTest, options);
}

}  // namespace digitron
