#include "host/data/gzip.h"

#include <libdeflate.h>

#include <fstream>
#include <memory>

#include "host/core/huge_pages.h"

namespace digitron {

namespace {

constexpr uint64_t kMostInflation = 32;

// Less is inflated in a few milliseconds.
constexpr uint64_t kLeastCachedBytes = uint64_t{1} << 20;

constexpr size_t kTrailerBytes = 8;  // the CRC-32 and the size of the contents

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

std::optional<std::vector<uint8_t>> inflate(const std::vector<uint8_t>& gz, uint64_t bytes) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!decompressor) return std::nullopt;
  std::vector<uint8_t> contents = reserve_huge(bytes);
  contents.resize(bytes);
  size_t taken = 0;
  const libdeflate_result result = libdeflate_gzip_decompress_ex(
      decompressor.get(), gz.data(), gz.size(), contents.data(), contents.size(), &taken, nullptr);
  if (result != LIBDEFLATE_SUCCESS || taken != gz.size()) return std::nullopt;
  return contents;
}

}  // namespace

std::optional<Inflated> inflate_file(const std::filesystem::path& path, uint64_t bytes,
                                     size_t skip) {
  const auto gz = bytes_of(path);
  if (!gz || gz->size() < kTrailerBytes || bytes > kMostInflation * gz->size() ||
      promised_size(*gz) != static_cast<uint32_t>(bytes)) {
    return std::nullopt;
  }
  std::optional<InflatedEntry> entry;
  if (bytes >= kLeastCachedBytes)
    if (auto directory = cache_directory()) entry.emplace(*std::move(directory), *gz, bytes);
  if (entry)
    if (auto found = entry->find(skip)) return found;
  auto contents = inflate(*gz, bytes);
  if (!contents) return std::nullopt;
  std::string sha256 = entry ? entry->keep(*contents) : "";
  contents->erase(contents->begin(), contents->begin() + static_cast<ptrdiff_t>(skip));
  return Inflated{*std::move(contents), std::move(sha256)};
}

}  // namespace digitron
