// Images and labels.
#include <zlib.h>

#include <algorithm>
#include <cstdint>

#include "host/data/idx.h"
#include "host/data/png_image.h"
#include "tests/fuzz/fuzzers.h"

namespace digitron::testing {

namespace {

void read_as_images_and_labels(const std::filesystem::path& path) {
  may_refuse([&] { read_idx_images(path); });
  may_refuse([&] { read_idx_labels(path); });
}

uint32_t big_endian_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (const char c : bytes.substr(at, 4)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

// Each chunk of a PNG is a length, a type, data and a CRC-32 of type and data: no fuzzer finds that
// by chance, and libpng reads nothing without it.
std::string with_right_check_sums(std::string_view png) {
  constexpr size_t kSignature = 8, kLength = 4, kType = 4, kCheckSum = 4;
  std::string right(png);
  size_t at = kSignature;
  while (right.size() >= at + kLength + kType + kCheckSum) {
    const size_t most = right.size() - at - kLength - kType - kCheckSum;
    const size_t data = std::min<size_t>(big_endian_at(right, at), most);
    const size_t end = at + kLength + kType + data;
    const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(right.data() + at + kLength),
                            static_cast<uInt>(kType + data));
    for (size_t i = 0; i < kCheckSum; ++i) {
      right[end + i] = static_cast<char>(sum >> (24 - 8 * i) & 0xFF);
    }
    at = end + kCheckSum;
  }
  return right;
}

}  // namespace

void fuzz_idx(std::string_view bytes) {
  read_as_images_and_labels(scratch_file("idx", bytes));
  const std::filesystem::path path = scratch_file("idx.gz", "");
  const gzFile file = gzopen(path.c_str(), "wb1");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  read_as_images_and_labels(path);
}

void fuzz_png(std::string_view bytes) {
  prepare_digit(read_png_grey(scratch_file("0_7.png", with_right_check_sums(bytes))));
}

}  // namespace digitron::testing
