#include "host/data/gzip.h"

#include <libdeflate.h>

#include <fstream>
#include <memory>

namespace digitron {

namespace {

constexpr uint64_t kMostInflation = 32;

// The last four bytes of a .gz: the size of its contents, modulo 2^32.
uint32_t promised_size(const std::vector<uint8_t>& gz) {
  const uint8_t* b = gz.data() + gz.size() - 4;
  return uint32_t{b[3]} << 24 | uint32_t{b[2]} << 16 | uint32_t{b[1]} << 8 | b[0];
}

// Nothing when it is no plain file, or cannot be read.
std::optional<std::vector<uint8_t>> bytes_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return std::nullopt;
  std::vector<uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  return file ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace

std::optional<std::vector<uint8_t>> inflate_file(const std::filesystem::path& path,
                                                 uint64_t bytes) {
  const auto gz = bytes_of(path);
  if (!gz || gz->size() < sizeof(uint32_t) || bytes > kMostInflation * gz->size() ||
      promised_size(*gz) != static_cast<uint32_t>(bytes)) {
    return std::nullopt;
  }
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!decompressor) return std::nullopt;
  std::vector<uint8_t> contents(bytes);
  size_t taken = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress_ex(decompressor.get(), gz->data(), gz->size(), contents.data(),
                                    contents.size(), &taken, nullptr);
  if (result != LIBDEFLATE_SUCCESS || taken != gz->size()) return std::nullopt;
  return contents;
}

}  // namespace digitron
