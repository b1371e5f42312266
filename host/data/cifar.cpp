#include "host/data/cifar.h"

#include <fstream>

#include "host/core/error.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

constexpr Shape kCifarImage{3, 32, 32};
constexpr size_t kCifarPixels = 3 * 32 * 32;
constexpr size_t kCifarRecord = 1 + kCifarPixels;
constexpr uint64_t kMostCifarBytes = 60'000 * kCifarRecord;  // all there is, in one file

std::string training_file(int number) {
  return "data_batch_" + std::to_string(number) + ".bin";
}

bool is_cifar_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string read_records(const fs::path& path) {
  std::error_code error;
  const uint64_t size = is_cifar_file(path) ? fs::file_size(path, error) : 0;
  if (error || size == 0) {
    throw InputError(path.string() + " is missing or empty; put CIFAR-10's binary files there");
  }
  if (size % kCifarRecord != 0 || size > kMostCifarBytes) {
    throw InputError(path.string() + " has " + std::to_string(size) +
                     " bytes, not whole records of 3073; get it again");
  }
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw InputError(path.string() + " cannot be read; check that it is a file that you may read");
  }
  return bytes;
}

void append_records(Dataset& data, const fs::path& path) {
  const std::string bytes = read_records(path);
  for (size_t at = 0; at < bytes.size(); at += kCifarRecord) {
    const auto label = static_cast<uint8_t>(bytes[at]);
    if (label >= cifar_classes().size()) {
      throw InputError(path.string() + " has label " + std::to_string(label) + " in record " +
                       std::to_string(at / kCifarRecord) + "; CIFAR-10's are 0 to 9");
    }
    data.labels.push_back(label);
    const auto image = bytes.begin() + static_cast<std::ptrdiff_t>(at + 1);
    data.images.insert(data.images.end(), image, image + static_cast<std::ptrdiff_t>(kCifarPixels));
  }
}

}  // namespace

bool has_cifar(const fs::path& directory) {
  return is_cifar_file(directory / training_file(1)) || is_cifar_file(directory / "test_batch.bin");
}

ImageSet read_cifar(const fs::path& directory, Split split) {
  ImageSet set{{}, kCifarImage, ""};
  if (split != Split::kTrain) {
    append_records(set.data, directory / "test_batch.bin");
    return set;
  }
  int number = 1;
  do {
    append_records(set.data, directory / training_file(number));
  } while (is_cifar_file(directory / training_file(++number)));
  return set;
}

std::vector<std::string> cifar_classes() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

}  // namespace digitron
